"""The grant's vault: whose it is, whether its balance is what it must be, and whether that is
enough for one more claim.
"""

from __future__ import annotations

from collections.abc import Iterator

from popkit.evidence.rpc import AccountRow
from popkit.protocol import accounts as layouts
from popkit.protocol.keys import TOKEN_PROGRAM
from popkit.protocol.pda import vault_address
from popkit.rules.model import Answer, Rule, Where
from popkit.rules.sides import ACCOUNTS, GrantSide
from popkit.texts import Text

_NAMES = Text(
    "mint {mint}, owner {owner}, of {program}", "mint {mint}、所有者 {owner}、プログラム {program}"
)
_AFTER_ALL = Text(
    "the vault, read after every step and claim", "すべての操作と claim の後に読み取られた vault"
)
_NOT_COLLECTED = Text("the account was not collected", "アカウントが収集されていません")
_NO_VAULT = Text("no vault, as the grant is closed", "vault なし（grant は閉鎖済み）")
_A_VAULT = Text("the vault of a grant that was created", "作成された grant の vault")
_NO_ACCOUNT = Text("the account does not exist", "アカウントが存在しません")
_TOKEN_ACCOUNT = Text("a token account", "トークンアカウント")
_NO_TOKEN_ACCOUNT = Text(
    "the account's data are no token account's", "データがトークンアカウントのものではありません"
)
_ALL_OF_IT = Text("funding, every claim and the vault", "入金、すべての claim、vault")
_NOT_ALL_OF_IT = Text("the evidence does not hold them all", "証拠に揃っていません")
_MORE_THAN_FUNDED = Text(
    "{amount}: tokens came in by a plain transfer, or the evidence lacks a funding",
    "{amount}: 通常の送金で入金されたか、入金の証拠が欠けています",
)
_AT_LEAST = Text("at least {amount}", "{amount} 以上")


def _row(side: GrantSide) -> AccountRow | None:
    return side.facts.accounts.get(vault_address(side.grant, side.facts.header.program_id))


def _place(side: GrantSide) -> Where:
    return ACCOUNTS, vault_address(side.grant, side.facts.header.program_id)


def _account(row: AccountRow | None) -> layouts.TokenAccount | None:
    """The token account that the vault's data are; None where they are none, or not there."""
    try:
        return None if row is None or row.data is None else layouts.decode_token_account(row.data)
    except layouts.AccountError:
        return None


def _exists(side: GrantSide) -> bool:
    row = _row(side)
    return row is not None and row.exists and row.data is not None


def _shows_what_it_needs(side: GrantSide) -> bool:
    return side.facts.vault_is_short(side.grant) is not None


VAULT_NOT_THE_GRANTS = Rule(
    "vault_not_the_grants",
    "critical",
    "grant",
    source="program §1.4",
    holds=Text("the vault is the grant's", "vault が grant のものであること"),
    meaning=Text(
        "The account at the vault's address is no token account of the grant's mint that the "
        "grant owns.",
        "vault のアドレスにあるアカウントが、grant の mint と所有者によるトークンアカウントで"
        "はありません。",
    ),
    advice=Text(
        "Collect the vault again from a second node: the program made it for this grant and "
        "lets nobody change it.",
        "プログラムがこの grant のために作成し、誰にも変更できないはずです。"
        "別のノードから vault を再収集してください。",
    ),
    applies=_exists,
)


@VAULT_NOT_THE_GRANTS.asks
def vault_not_the_grants(side: GrantSide) -> Iterator[Answer]:
    """Mint, owner and program of the account at the vault's address: the program makes it with the
    grant.
    """
    row, mint = _row(side), side.facts.history.mint_of(side.grant)
    account = _account(row)
    wanted = None if mint is None else _NAMES(mint=mint, owner=side.grant, program=TOKEN_PROGRAM)
    if account is None or row is None:
        yield VAULT_NOT_THE_GRANTS.unknown(_place(side), wanted, _NO_TOKEN_ACCOUNT())
        return
    observed = _NAMES(mint=account.mint, owner=account.owner, program=row.owner)
    yield VAULT_NOT_THE_GRANTS.equal(_place(side), wanted, observed)


VAULT_BALANCE_WRONG = Rule(
    "vault_balance_wrong",
    "warning",  # the vault may have been read after a claim that landed behind the lists
    "grant",
    source="program: fund_grant, claim_grant",
    holds=Text(
        "funding less claims is the vault's balance",
        "vault の残高が入金から claim を引いた額であること",
    ),
    meaning=Text(
        "The vault holds less than its funding less what the claims took, or is gone though "
        "the grant is open: a claim is missing from the evidence, or something in it is false.",
        "vault の残高が、入金から claim の分を引いた額より少ないか、"
        "grant が閉鎖されていないのに vault がありません。"
        "証拠に claim の欠落か誤りがあります。",
    ),
    advice=Text(
        "Collect the vault, the claims and the fundings again from a second node: only a "
        "claim or close_grant takes tokens out.",
        "トークンを引き出せるのは claim と close_grant だけです。別のノードから vault、"
        "claim、入金を再収集してください。",
    ),
)


@VAULT_BALANCE_WRONG.asks
def vault_balance_wrong(side: GrantSide) -> Iterator[Answer]:
    """The vault's arithmetic. Only claims and close_grant take tokens out; anybody can send some
    in.
    """
    rule, row, where = VAULT_BALANCE_WRONG, _row(side), _place(side)
    if row is None or row.slot is None:
        yield rule.unknown(where, _AFTER_ALL(), _NOT_COLLECTED())
        return
    if row.data is None or not row.exists:
        yield _of_no_vault(side, row.slot)
        return
    account = _account(row)
    if account is None:
        yield rule.unknown(where, _TOKEN_ACCOUNT(), _NO_TOKEN_ACCOUNT())
        return
    left = _left_in_vault(side, row.slot) if side.is_complete else None
    if left is None:
        yield rule.unknown(where, _ALL_OF_IT(), _NOT_ALL_OF_IT())
    elif account.amount > left:
        yield rule.unknown(where, left, _MORE_THAN_FUNDED(amount=account.amount))
    else:
        yield rule.equal(where, left, account.amount)


def _of_no_vault(side: GrantSide, slot: int) -> Answer:
    """A vault that is not there: rightly of a closed grant; falsely where the grant was there
    before and after it was read.
    """
    rule, history, where = VAULT_BALANCE_WRONG, side.facts.history, _place(side)
    if history.is_closed(side.grant):
        return rule.held(where, _NO_VAULT(), _NO_ACCOUNT())
    grant, created = side.facts.accounts.get(side.grant), history.created_slot(side.grant)
    was_there_after = (
        grant is not None and grant.exists and grant.slot is not None and grant.slot >= slot
    )
    is_wrong = was_there_after and created is not None and created <= slot
    return (rule.violated if is_wrong else rule.unknown)(where, _A_VAULT(), _NO_ACCOUNT())


def _left_in_vault(side: GrantSide, slot: int) -> int | None:
    """Funding less what claims took up to a slot, in base units, since the grant was last made;
    None: not all of it is known.
    """
    grant, history, claims = side.grant, side.facts.history, side.facts.claims
    steps = [step for step in history.of_grant(grant) if step.slot <= slot]
    begun = max((step.slot for step in steps if step.name == "close_grant"), default=-1)
    counted = [attempt for attempt in side.chain.accepted if begun < attempt.slot <= slot]
    # two claims of one transaction share what left the vault: each transaction counts once
    taken = {attempt.signature: claims.amount_taken[attempt.row] for attempt in counted}
    is_mixed = not taken.keys().isdisjoint(step.signature for step in steps)
    lacks_claims = bool(side.chain.unseen or side.facts.receipts_without_claims(grant))
    if lacks_claims or is_mixed or None in taken.values() or history.created_slot(grant) is None:
        return None
    fundings = [step for step in steps if step.name == "fund_grant" and step.slot > begun]
    return sum(int(step.args["amount"]) for step in fundings) - sum(n or 0 for n in taken.values())


VAULT_LOW = Rule(
    "vault_low",
    "warning",
    "grant",
    source="program §1.7: 6001",
    holds=Text(
        "the vault holds enough for one more claim",
        "vault に次の claim に足りる残高があること",
    ),
    meaning=Text(
        "The vault holds less than one period's amount.",
        "vault の残高が 1 期間分の金額に足りません。",
    ),
    advice=Text(
        "Fund the grant with fund_grant.",
        "fund_grant で grant に入金してください。",
    ),
    applies=_shows_what_it_needs,
)


@VAULT_LOW.asks
def vault_low(side: GrantSide) -> Iterator[Answer]:
    """Whether the vault held less than one period's amount when it was read."""
    account = side.facts.history.account(side.grant)
    if account is not None and side.facts.vault_is_short(side.grant):
        wanted, observed = (
            _AT_LEAST(amount=account.amount_per_period),
            side.facts.vault_amount(side.grant),
        )
        yield VAULT_LOW.violated(_place(side), wanted, observed)
