"""The accounts while a transaction's calls are carried out one after another, as the programs on chain would change them.

Only what a cutover calls, and what stands beside it in an administrator's transactions, is understood.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NoReturn

from solders.pubkey import Pubkey

from popkit.cutover.calls import Call
from popkit.cutover.endpoint import Held
from popkit.cutover.errors import Stopped
from popkit.protocol.accounts import (
    GRANT_SIZE,
    POP_CONFIG_SIZE,
    POP_STATE_SIZE,
    RECEIPT_SIZE,
    TOKEN_ACCOUNT_SIZE,
    AccountError,
    ClaimReceipt,
    Grant,
    PopConfig,
    PopState,
    TokenAccount,
    decode_grant,
    decode_pop_state,
    encode_account,
)
from popkit.protocol.ed25519 import ProofDataError, read_proof
from popkit.protocol.instructions import FIXED_ACCOUNTS, INSTRUCTIONS, InstructionError, ProgramInstruction, decode_instruction
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
    key_bytes,
)
from popkit.protocol.message import GENESIS_HASH, MessageError, decode_message
from popkit.protocol.wire import Reader, TransactionError
from popkit.texts import Sentence, sentence

YEAR = 365 * 86400
MINT_SIZE = 82
_STATE, _NATIVE, _AMOUNT = 108, slice(109, 113), slice(64, 72)

Rent = Callable[[int], int]
"""Bytes of data to the lamports that a node says an account of that size must hold."""


def refused(reason: Sentence) -> NoReturn:
    raise Stopped(
        "would_fail",
        reason,
        sentence("nothing was sent; plan anew from what is there now", "何も送信していません。現在の状態から計画し直してください"),
    )


def _not_understood(at: int, call: Call) -> NoReturn:
    raise Stopped(
        "not_understood",
        sentence(
            "What instruction {at} ({name}) does to its accounts is not known.",
            "命令 {at}（{name}）がアカウントをどう変えるのかが分かりません。",
            at=at,
            name=call.name,
        ),
        sentence(
            "nothing was sent; carry out only what a cutover's plan holds",
            "何も送信していません。切り替えの計画にあるものだけを実行してください",
        ),
    )


def _derived(seeds: list[bytes], program: str) -> tuple[str, int]:
    address, bump = Pubkey.find_program_address(seeds, Pubkey.from_string(program))
    return str(address), bump


def _check_terms(amount: int, period: int) -> None:
    if not amount or period <= 0:
        refused(sentence("An amount or a period of zero is refused.", "0 という金額や期間は拒否されます。"))


def _check_accounts(call: Call, read: ProgramInstruction) -> None:
    """The signers sign, and the programs and sysvars are those that the instruction must be given."""
    for (name, flags), meta in zip(INSTRUCTIONS[read.name].metas, call.metas, strict=False):
        if "S" in flags and not meta.is_signer:
            refused(sentence("{name} does not sign.", "{name} が署名していません。", name=name))
        if FIXED_ACCOUNTS.get(name, meta.pubkey) != meta.pubkey:
            refused(sentence("{name} is {key}.", "{name} が {key} です。", name=name, key=meta.pubkey))


@dataclass(slots=True)
class Ledger:
    """The accounts while a transaction's calls are carried out one after another."""

    accounts: dict[str, Held | None]
    rent: Rent
    now: int
    strict: bool
    rewrites: bool
    _empty: Held = field(default=Held(0, SYSTEM_PROGRAM, b""))

    def get(self, key: str) -> Held:
        if key not in self.accounts:
            raise ValueError(f"the account {key} is written, and it was not looked at before")
        return self.accounts[key] or self._empty

    def put(self, key: str, held: Held) -> None:
        self.get(key)
        self.accounts[key] = held if held.lamports else None

    def pay(self, payer: str, target: str, lamports: int) -> None:
        source = self.get(payer)
        if source.owner != SYSTEM_PROGRAM or source.data or source.lamports < lamports:
            refused(
                sentence(
                    "{payer} cannot pay {lamports} lamports to {target}.",
                    "{payer} から {target} へ {lamports} lamports を支払えません。",
                    payer=payer,
                    lamports=lamports,
                    target=target,
                )
            )
        self.put(payer, replace(source, lamports=source.lamports - lamports))
        held = self.get(target)
        self.put(target, replace(held, lamports=held.lamports + lamports))

    def make(self, payer: str, key: str, size: int, owner: str) -> None:
        """An account of a program at a derived address: lamports that were sent there beforehand count, and the excess stays."""
        held = self.get(key)
        if held.owner != SYSTEM_PROGRAM or held.data:
            refused(sentence("There is an account at {key} already.", "{key} にはすでにアカウントがあります。", key=key))
        self.pay(payer, key, max(0, self.rent(size) - held.lamports))
        self.put(key, replace(self.get(key), owner=owner, data=bytes(size)))

    def write(self, key: str, value: Grant | ClaimReceipt | PopConfig | PopState | TokenAccount) -> None:
        self.put(key, replace(self.get(key), data=encode_account(value)))

    def move(self, source: str, target: str, amount: int, owner: str) -> None:
        """Tokens from one account to another, as the token program moves them."""
        sending, getting = self._tokens(source), self._tokens(target)
        if sending.data[:32] != getting.data[:32] or sending.data[32:64] != key_bytes(owner):
            refused(
                sentence(
                    "{source} is not a token account of {owner} for the mint of {target}.",
                    "{source} は、{target} と同じミントを持つ {owner} のトークンアカウントではありません。",
                    source=source,
                    owner=owner,
                    target=target,
                )
            )
        have, has = (int.from_bytes(held.data[_AMOUNT], "little") for held in (sending, getting))
        if have < amount or (source != target and has + amount >= 1 << 64):
            refused(
                sentence(
                    "{source} holds {have} tokens; {amount} are to be moved.",
                    "{source} の保有トークンは {have} です。移そうとしている量は {amount} です。",
                    source=source,
                    have=have,
                    amount=amount,
                )
            )
        if source == target:
            return
        for key, held, left in ((source, sending, have - amount), (target, getting, has + amount)):
            self.put(key, replace(held, data=held.data[:64] + left.to_bytes(8, "little") + held.data[72:]))

    def _tokens(self, key: str) -> Held:
        held = self.get(key)
        if held.owner != TOKEN_PROGRAM or len(held.data) != TOKEN_ACCOUNT_SIZE or held.data[_STATE] != 1 or any(held.data[_NATIVE]):
            refused(
                sentence(
                    "{key} is not an open token account of an ordinary mint.",
                    "{key} は、通常のミントの、凍結されていないトークンアカウントではありません。",
                    key=key,
                )
            )
        return held

    def run(self, at: int, call: Call, calls: Sequence[Call]) -> None:
        keys = [meta.pubkey for meta in call.metas]
        if call.program in (COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM):
            return
        try:
            if call.program == SYSTEM_PROGRAM:
                known = self._system(keys, call.data)
            elif call.program == TOKEN_PROGRAM:
                known = self._token(keys, call.data)
            elif call.program == ATA_PROGRAM:
                known = self._associated(keys, call.data)
            else:
                known = self._grant_program(call, keys, calls[at - 1] if at else None)
        except (InstructionError, AccountError, ProofDataError, MessageError, TransactionError, IndexError) as problem:
            refused(
                sentence(
                    "Instruction {at} ({name}) would be refused: {problem}.",
                    "命令 {at}（{name}）は拒否されます。{problem}",
                    at=at,
                    name=call.name,
                    problem=problem,
                )
            )
        if not known:
            _not_understood(at, call)

    def _system(self, keys: list[str], data: bytes) -> bool:
        reader = Reader(data)
        kind = reader.number(4, "the system instruction")
        if kind == 2:
            self.pay(keys[0], keys[1], reader.number(8, "lamports"))
            return True
        if kind not in (0, 3):
            return False
        if kind == 3:
            reader.take(32, "the base")
            reader.take(reader.number(8, "the seed's length"), "the seed")
        lamports, size, owner = reader.number(8, "lamports"), reader.number(8, "the space"), b58encode(reader.take(32, "the owner"))
        held = self.get(keys[1])
        if held.lamports or held.data or held.owner != SYSTEM_PROGRAM:
            refused(sentence("There is an account at {key} already.", "{key} にはすでにアカウントがあります。", key=keys[1]))
        self.pay(keys[0], keys[1], lamports)
        self.put(keys[1], replace(self.get(keys[1]), owner=owner, data=bytes(size)))
        return True

    def _token(self, keys: list[str], data: bytes) -> bool:
        kind = data[0] if data else -1
        if kind == 3:
            self.move(keys[0], keys[1], int.from_bytes(data[1:9], "little"), keys[2])
        elif kind == 7:
            self._mint_to(keys, int.from_bytes(data[1:9], "little"))
        elif kind == 20 and self.get(keys[0]).data == bytes(MINT_SIZE):
            freeze = b"\1\0\0\0" + data[35:67] if data[34] == 1 else bytes(36)
            body = b"\1\0\0\0" + data[2:34] + bytes(8) + data[1:2] + b"\1" + freeze
            self.put(keys[0], replace(self.get(keys[0]), data=body))
        else:
            return False
        return True

    def _mint_to(self, keys: list[str], amount: int) -> None:
        mint, target = self.get(keys[0]), self._tokens(keys[1])
        if mint.data[:36] != b"\1\0\0\0" + key_bytes(keys[2]) or target.data[:32] != key_bytes(keys[0]):
            refused(sentence("{key} may not mint for {target}.", "{key} は {target} に対して発行できません。", key=keys[2], target=keys[1]))
        for key, held, start in ((keys[0], mint, 36), (keys[1], target, 64)):
            left = int.from_bytes(held.data[start : start + 8], "little") + amount
            self.put(key, replace(held, data=held.data[:start] + left.to_bytes(8, "little") + held.data[start + 8 :]))

    def _associated(self, keys: list[str], data: bytes) -> bool:
        if data not in (b"", b"\0", b"\1"):
            return False
        payer, account, owner, mint = keys[:4]
        if data == b"\1" and self.get(account).owner == TOKEN_PROGRAM:
            return True
        self.make(payer, account, TOKEN_ACCOUNT_SIZE, TOKEN_PROGRAM)
        self.write(account, TokenAccount(mint, owner, 0))
        return True

    def _grant_program(self, call: Call, keys: list[str], before: Call | None) -> bool:
        read = decode_instruction(call.data, keys)
        _check_accounts(call, read)
        self._check_mint(read.accounts.get("mint"))
        grant = None
        if "grant" in read.accounts and read.name != "create_grant":
            held = self.get(read.accounts["grant"])
            if held.owner != call.program:
                refused(sentence("There is no grant at {grant}.", "{grant} にグラントがありません。", grant=read.accounts["grant"]))
            grant = decode_grant(held.data)
            self._check_grant(read, grant)
        match read.name:
            case "create_grant":
                self._create(read, call.program)
            case "fund_grant" if grant:
                if not read.args["amount"]:
                    refused(sentence("An amount of zero is refused.", "0 という金額は拒否されます。"))
                self.move(read.accounts["from_ata"], grant.vault, read.args["amount"], read.accounts["funder"])
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
        seeds = [b"grant", key_bytes(a["authority"]), key_bytes(a["mint"]), args["grant_id"].to_bytes(8, "little")]
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
        """The vault's tokens to the authority's account, the lamports of both accounts to the authority; both accounts go."""
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
            self.put(a["authority"], replace(getting, lamports=getting.lamports + self.get(key).lamports))
            self.put(key, self._empty)

    def _claim(self, read: ProgramInstruction, grant: Grant, program: str, before: Call | None) -> None:
        """A receipt, the amount to the claimer, and PopState moved to the proof's entry."""
        a, period = read.accounts, read.args["period_index"]
        if before is None or before.program != ED25519_PROGRAM:
            refused(sentence("The proof does not stand directly before the claim.", "受給の直前に証明がありません。"))
        message = decode_message(read_proof(before.data).message)
        if (message.grant, message.claimer, message.period_index) != (a["grant"], a["claimer"], period):
            refused(sentence("The proof is of another claim.", "証明が別の受給のものです。"))
        is_over = bool(grant.expires_at) and self.now > grant.expires_at
        if grant.paused or grant.merkle_root != GENESIS_HASH or self.now < grant.start_ts or is_over:
            refused(sentence("The grant takes no such claim now.", "グラントは現在、この受給を受け付けません。"))
        if period != (self.now - grant.start_ts) // grant.period_seconds:
            refused(
                sentence(
                    "The claim's period {period} is not the present one.", "受給の期間 {period} は現在の期間ではありません。", period=period
                )
            )
        self.make(a["claimer"], a["receipt"], RECEIPT_SIZE, program)
        state, bump = _derived([b"pop-state", key_bytes(a["grant"])], program)
        if self.get(state).owner != program:
            self.make(a["claimer"], state, POP_STATE_SIZE, program)
            old = None
        else:
            old = decode_pop_state(self.get(state).data)
        heads = (GENESIS_HASH, GENESIS_HASH) if old is None else (old.last_global_hash, old.last_stream_hash)
        if self.strict and (message.prev_hash, message.stream_prev_hash) != heads:
            refused(sentence("The proof does not follow the chain's head.", "証明がチェーンの head に続いていません。"))
        if self.strict or old is None or message.issued_at >= old.last_issued_at:
            entry = message.entry_hash
            self.write(state, PopState(a["grant"], entry, entry, period, message.issued_at, True, bump))
        self.move(a["vault"], a["claimer_ata"], grant.amount_per_period, a["grant"])
        self.write(a["receipt"], ClaimReceipt(a["grant"], a["claimer"], period, self.now))
