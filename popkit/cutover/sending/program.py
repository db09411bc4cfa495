"""What the grant program's instructions do to accounts, and what it refuses: the program of every
era since PoP was introduced.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from solders.pubkey import Pubkey

from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.ledger import MINT_SIZE, Ledger, refused
from popkit.protocol.accounts import (
    GRANT_SIZE,
    POP_CONFIG_SIZE,
    POP_STATE_SIZE,
    RECEIPT_SIZE,
    TOKEN_ACCOUNT_SIZE,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    TokenAccount,
    decode_grant,
    decode_pop_state,
)
from popkit.protocol.ed25519 import read_proof
from popkit.protocol.instructions import (
    FIXED_ACCOUNTS,
    INSTRUCTIONS,
    ProgramInstruction,
    decode_instruction,
)
from popkit.protocol.keys import (
    ED25519_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
)
from popkit.protocol.message import GENESIS_HASH, decode_message
from popkit.texts import sentence

YEAR = 365 * 86400
_AMOUNT = slice(64, 72)


def _derived(seeds: list[bytes], program: str) -> tuple[str, int]:
    address, bump = Pubkey.find_program_address(seeds, Pubkey.from_string(program))
    return str(address), bump


def _check_terms(amount: int, period: int) -> None:
    if not amount or period <= 0:
        refused(
            sentence(
                "An amount or a period of zero is refused.", "0 という金額や期間は拒否されます。"
            )
        )


def _check_accounts(call: Call, read: ProgramInstruction) -> None:
    """The signers sign, and the programs and sysvars are those that the instruction must be given."""
    for (name, flags), meta in zip(INSTRUCTIONS[read.name].metas, call.metas, strict=False):
        if "S" in flags and not meta.is_signer:
            refused(sentence("{name} does not sign.", "{name} が署名していません。", name=name))
        if FIXED_ACCOUNTS.get(name, meta.pubkey) != meta.pubkey:
            refused(
                sentence("{name} is {key}.", "{name} が {key} です。", name=name, key=meta.pubkey)
            )


@dataclass(slots=True)
class GrantLedger(Ledger):
    """Accounts under the grant program. `strict`: claims follow the chain's head or fail; else the
    head moves with issued_at.

    `rewrites`: the program is one from before `init`, whose create_grant rewrites a grant that is
    there.
    """

    strict: bool = False
    rewrites: bool = False

    def _program(self, call: Call, keys: list[str], before: Call | None) -> bool:
        read = decode_instruction(call.data, keys)
        _check_accounts(call, read)
        self._check_mint(read.accounts.get("mint"))
        grant = None
        if "grant" in read.accounts and read.name != "create_grant":
            held = self.get(read.accounts["grant"])
            if held.owner != call.program:
                refused(
                    sentence(
                        "There is no grant at {grant}.",
                        "{grant} にグラントがありません。",
                        grant=read.accounts["grant"],
                    )
                )
            grant = decode_grant(held.data)
            self._check_grant(read, grant)
        match read.name:
            case "create_grant":
                self._create(read, call.program)
            case "fund_grant" if grant:
                if not read.args["amount"]:
                    refused(
                        sentence("An amount of zero is refused.", "0 という金額は拒否されます。")
                    )
                self.move(
                    read.accounts["from_ata"],
                    grant.vault,
                    read.args["amount"],
                    read.accounts["funder"],
                )
            case "set_paused" | "set_allowlist_root" if grant:
                self.write(read.accounts["grant"], replace(grant, **read.args))
            case "update_grant" if grant:
                _check_terms(read.args["amount_per_period"], read.args["period_seconds"])
                self.write(read.accounts["grant"], replace(grant, **read.args))
            case "upsert_pop_config":
                self._upsert(read, call.program)
            case "close_grant" if grant:
                self._close(read, grant)
            case "claim_grant" if grant and not read.is_legacy_claim:
                self._claim(read, grant, call.program, before)
            case _:
                return False
        return True

    def _check_mint(self, key: str | None) -> None:
        """A mint that was looked at is one of the token program's."""
        if key is None or key not in self.accounts:
            return
        held = self.get(key)
        if held.owner != TOKEN_PROGRAM or len(held.data) != MINT_SIZE:
            refused(sentence("{key} is no mint.", "{key} はミントではありません。", key=key))

    def _check_grant(self, read: ProgramInstruction, grant: Grant) -> None:
        """The authority, mint and vault that a call names are the grant's own."""
        for name in ("authority", "mint", "vault"):
            named = read.accounts.get(name)
            if named is not None and named != getattr(grant, name):
                refused(
                    sentence(
                        "The grant's {name} is {wanted}; the call names {named}.",
                        "グラントの {name} は {wanted} ですが、呼び出しは {named} を指定しています。",
                        name=name,
                        wanted=getattr(grant, name),
                        named=named,
                    )
                )

    def _create(self, read: ProgramInstruction, program: str) -> None:
        a, args = read.accounts, read.args
        seeds = [
            b"grant",
            key_bytes(a["authority"]),
            key_bytes(a["mint"]),
            args["grant_id"].to_bytes(8, "little"),
        ]
        address, bump = _derived(seeds, program)
        vault, _ = _derived([b"vault", key_bytes(address)], program)
        if (address, vault) != (a["grant"], a["vault"]):
            refused(
                sentence(
                    "{grant} is not the address of this authority's, mint's and id's grant.",
                    "{grant} は、この権限者・ミント・ID のグラントのアドレスではありません。",
                    grant=a["grant"],
                )
            )
        _check_terms(args["amount_per_period"], args["period_seconds"])
        if args["start_ts"] > self.now + YEAR:
            refused(sentence("The start is more than a year ahead.", "開始が 1 年より先です。"))
        if not (self.rewrites and self.get(address).owner == program):
            self.make(a["authority"], address, GRANT_SIZE, program)
        if self.get(vault).owner == SYSTEM_PROGRAM:
            self.make(a["authority"], vault, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM)
            self.write(vault, TokenAccount(a["mint"], address, 0))
        terms = {**args, "merkle_root": GENESIS_HASH, "paused": False, "bump": bump}
        self.write(address, Grant(authority=a["authority"], mint=a["mint"], vault=vault, **terms))

    def _upsert(self, read: ProgramInstruction, program: str) -> None:
        authority = read.accounts["authority"]
        address, bump = _derived([b"pop-config", key_bytes(authority)], program)
        if address != read.accounts["pop_config"]:
            refused(
                sentence(
                    "{config} is not the pop-config of {authority}.",
                    "{config} は {authority} の pop-config ではありません。",
                    config=read.accounts["pop_config"],
                    authority=authority,
                )
            )
        if self.get(address).owner != program:
            self.make(authority, address, POP_CONFIG_SIZE, program)
        self.write(address, PopConfig(authority, read.args["signer_pubkey"], bump))

    def _close(self, read: ProgramInstruction, grant: Grant) -> None:
        """The vault's tokens to the authority's account, the lamports of both accounts to the
        authority; both accounts go.
        """
        a = read.accounts
        amount = int.from_bytes(self._tokens(a["vault"]).data[_AMOUNT], "little")
        if b58encode(self._tokens(a["authority_ata"]).data[32:64]) != a["authority"]:
            refused(
                sentence(
                    "{account} is not a token account of {authority}.",
                    "{account} は {authority} のトークンアカウントではありません。",
                    account=a["authority_ata"],
                    authority=a["authority"],
                )
            )
        self.move(a["vault"], a["authority_ata"], amount, a["grant"])
        for key in (a["vault"], a["grant"]):
            getting = self.get(a["authority"])
            self.put(
                a["authority"], replace(getting, lamports=getting.lamports + self.get(key).lamports)
            )
            self.put(key, self._empty)

    def _claim(
        self, read: ProgramInstruction, grant: Grant, program: str, before: Call | None
    ) -> None:
        """A receipt, the amount to the claimer, and PopState moved to the proof's entry."""
        a, period = read.accounts, read.args["period_index"]
        if before is None or before.program != ED25519_PROGRAM:
            refused(
                sentence(
                    "The proof does not stand directly before the claim.",
                    "受給の直前に証明がありません。",
                )
            )
        message = decode_message(read_proof(before.data).message)
        if (message.grant, message.claimer, message.period_index) != (
            a["grant"],
            a["claimer"],
            period,
        ):
            refused(sentence("The proof is of another claim.", "証明が別の受給のものです。"))
        is_over = bool(grant.expires_at) and self.now > grant.expires_at
        if (
            grant.paused
            or grant.merkle_root != GENESIS_HASH
            or self.now < grant.start_ts
            or is_over
        ):
            refused(
                sentence(
                    "The grant takes no such claim now.",
                    "グラントは現在、この受給を受け付けません。",
                )
            )
        if period != (self.now - grant.start_ts) // grant.period_seconds:
            refused(
                sentence(
                    "The claim's period {period} is not the present one.",
                    "受給の期間 {period} は現在の期間ではありません。",
                    period=period,
                )
            )
        self.make(a["claimer"], a["receipt"], RECEIPT_SIZE, program)
        state, bump = _derived([b"pop-state", key_bytes(a["grant"])], program)
        if self.get(state).owner != program:
            self.make(a["claimer"], state, POP_STATE_SIZE, program)
            old = None
        else:
            old = decode_pop_state(self.get(state).data)
        heads = (
            (GENESIS_HASH, GENESIS_HASH)
            if old is None
            else (old.last_global_hash, old.last_stream_hash)
        )
        if self.strict and (message.prev_hash, message.stream_prev_hash) != heads:
            refused(
                sentence(
                    "The proof does not follow the chain's head.",
                    "証明がチェーンの head に続いていません。",
                )
            )
        if self.strict or old is None or message.issued_at >= old.last_issued_at:
            entry = message.entry_hash
            self.write(
                state, PopState(a["grant"], entry, entry, period, message.issued_at, True, bump)
            )
        self.move(a["vault"], a["claimer_ata"], grant.amount_per_period, a["grant"])
        self.write(a["receipt"], ClaimReceipt(a["grant"], a["claimer"], period, self.now))
