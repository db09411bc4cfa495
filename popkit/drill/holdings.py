"""A node's calls about tokens: balances, supply, and who holds what. Errors have the words of
Agave's RPC service.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from popkit.drill.ledger import EMPTY, Account
from popkit.drill.runtime import ui_amount
from popkit.drill.token import MINT_SIZE
from popkit.protocol.accounts import TOKEN_ACCOUNT_SIZE
from popkit.protocol.keys import TOKEN_PROGRAM, b58encode, key_bytes
from popkit.serving import accounts, params

if TYPE_CHECKING:
    from popkit.drill.chain import ChainView
    from popkit.drill.node import LiveNode

MOST_LARGEST = 20
_DELEGATED = (1).to_bytes(4, "little")


def account_balance(node: LiveNode, given: Any, slot: int | None) -> Any:
    """getTokenAccountBalance: the amount of one token account."""
    key, config = params.arguments(given, 1, 2)
    key = params.pubkey(key)
    view, at = node.standing(params.settings(config), slot)
    held = view.ledger.accounts.get(key, EMPTY)
    if held is EMPTY:
        raise params.invalid("Invalid param: could not find account")
    if not _is_token_account(held):
        raise params.invalid("Invalid param: not a Token account")
    return node.in_context(at, _shown(_amount(held), _decimals(view, b58encode(held.data[:32]))))


def supply(node: LiveNode, given: Any, slot: int | None) -> Any:
    """getTokenSupply: how many tokens of a mint there are."""
    mint, config = params.arguments(given, 1, 2)
    mint = params.pubkey(mint)
    view, at = node.standing(params.settings(config), slot)
    held = _mint(view, mint)
    return node.in_context(at, _shown(int.from_bytes(held.data[36:44], "little"), held.data[44]))


def largest(node: LiveNode, given: Any, slot: int | None) -> Any:
    """getTokenLargestAccounts: the accounts of a mint that hold the most, at most twenty, the
    fullest first.
    """
    mint, config = params.arguments(given, 1, 2)
    mint = params.pubkey(mint)
    view, at = node.standing(params.settings(config), slot)
    decimals, wanted = _mint(view, mint).data[44], key_bytes(mint)
    found = [
        (_amount(held), key) for key, held in _token_accounts(view) if held.data[:32] == wanted
    ]
    fullest = sorted(found, key=lambda row: (-row[0], row[1]))[:MOST_LARGEST]
    return node.in_context(
        at, [{"address": key, **_shown(amount, decimals)} for amount, key in fullest]
    )


def by_owner(node: LiveNode, given: Any, slot: int | None) -> Any:
    """getTokenAccountsByOwner: the token accounts that a key owns, of one mint or of the token
    program.
    """
    return _of(node, given, slot, lambda held, key: held.data[32:64] == key)


def by_delegate(node: LiveNode, given: Any, slot: int | None) -> Any:
    """getTokenAccountsByDelegate: the token accounts from which a key may take."""
    return _of(
        node,
        given,
        slot,
        lambda held, key: held.data[72:76] == _DELEGATED and held.data[76:108] == key,
    )


def _of(
    node: LiveNode, given: Any, slot: int | None, is_theirs: Callable[[Account, bytes], bool]
) -> Any:
    owner, wanted, config = params.arguments(given, 2, 3)
    key, config = key_bytes(params.pubkey(owner)), params.settings(config)
    encoding, data_slice = accounts.how(config, "binary")
    if not isinstance(wanted, dict) or len(wanted.keys() & {"mint", "programId"}) != 1:
        raise params.invalid("Invalid params: expected `mint` or `programId`.")
    view, at = node.standing(config, slot)
    mint = None
    if "mint" in wanted:
        mint = key_bytes(params.pubkey(wanted["mint"]))
        _mint(view, wanted["mint"])
    elif params.pubkey(wanted["programId"]) != TOKEN_PROGRAM:
        raise params.invalid("Invalid param: unrecognized Token program id")
    found = []
    for address, held in _token_accounts(view):
        if is_theirs(held, key) and mint in (None, held.data[:32]):
            found.append(
                {
                    "pubkey": address,
                    "account": accounts.rendered(view.account(address), encoding, data_slice),
                }
            )
    return node.in_context(at, found)


def _token_accounts(view: ChainView) -> Iterator[tuple[str, Account]]:
    """Every token account, ascending by key."""
    for key, held in sorted(view.ledger.accounts.items(), key=lambda row: key_bytes(row[0])):
        if _is_token_account(held):
            yield key, held


def _is_token_account(held: Account) -> bool:
    return held.owner == TOKEN_PROGRAM and len(held.data) == TOKEN_ACCOUNT_SIZE


def _mint(view: ChainView, key: str) -> Account:
    """A mint. Raises RpcError for what is not there, and for what is none."""
    held = view.ledger.accounts.get(key, EMPTY)
    if held is EMPTY:
        raise params.invalid("Invalid param: could not find mint")
    if held.owner != TOKEN_PROGRAM or len(held.data) != MINT_SIZE:
        raise params.invalid("Invalid param: not a Token mint")
    return held


def _decimals(view: ChainView, mint: str) -> int:
    held = view.ledger.accounts.get(mint, EMPTY)
    return held.data[44] if len(held.data) == MINT_SIZE else 0


def _amount(held: Account) -> int:
    return int.from_bytes(held.data[64:72], "little")


def _shown(amount: int, decimals: int) -> dict[str, Any]:
    """An amount as a node shows it: exact as text, and as the float that clients must not count
    with.
    """
    shown = {"amount": str(amount), "decimals": decimals, "uiAmount": amount / 10**decimals}
    return {**shown, "uiAmountString": ui_amount(amount, decimals)}
