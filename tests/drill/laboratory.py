"""What was on the chain before the recorded refusals, which begin with claims on grants that are
there already.

Authority and terms of the first grant are read from the recorded create_grant over it; the others
have the numbers beside it, and terms that make of them what their rows are about. Pauses and roots
between the rows follow what each row is about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from popkit.drill.ledger import Account, Ledger, minimum_balance
from popkit.drill.machine import read_signed
from popkit.protocol.accounts import Grant, PopConfig, encode_account
from popkit.protocol.ed25519 import read_proof
from popkit.protocol.instructions import InstructionError, ProgramInstruction, decode_instruction
from popkit.protocol.keys import ED25519_PROGRAM, PROGRAM_ID, b58encode
from popkit.protocol.message import GENESIS_HASH
from popkit.protocol.pda import grant_address
from tests.drill.recorded import transaction_of, wallets

MONTH = 30 * 86400
OTHERS = ("grant not started", "grant expired", "vault empty")
WITH_ROOT = ("claim_grant where a root is set", "claim_grant_with_proof outside the list")


class Laboratory:
    """The ledger under the recorded refusals of one era."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.ledger = Ledger()
        read = {row["what"]: _instructions(row) for row in rows}
        again = next(
            i
            for found in read.values()
            for i in found
            if i.name == "create_grant" and i.args["grant_id"] < 7000
        )
        self.first, self.terms = again.accounts["grant"], again
        self.signer = next(
            b58encode(read_proof(call.data).public_key)
            for call in read_signed(transaction_of(rows[0]["result"]), self.ledger)[0].instructions
            if call.program == ED25519_PROGRAM
        )
        self.born = rows[0]["result"]["blockTime"] - 400
        for number, what in enumerate(OTHERS, 7002):
            assert self._address(number) == read[what][0].accounts["grant"], what

    def _address(self, number: int) -> str:
        return grant_address(
            self.terms.accounts["authority"], self.terms.accounts["mint"], number, PROGRAM_ID
        )

    def prepare(self, row: dict[str, Any]) -> None:
        """Put what lies before a row in its place: accounts that the row shows to exist, and the
        switches it is about.
        """
        signed, _ = read_signed(transaction_of(row["result"]), self.ledger)
        before = dict(zip(signed.keys, row["result"]["meta"]["preBalances"], strict=True))
        for found in _instructions(row):
            accounts = found.accounts
            grant = accounts.get("grant")
            if grant is not None and before[grant] == minimum_balance(178):
                held = self.ledger.grants.get(grant) or self._grant(accounts, row)
                root = "77" * 32 if row["what"] in WITH_ROOT else GENESIS_HASH
                self._put(grant, replace(held, paused=row["what"] == "paused", merkle_root=root))
            config = accounts.get("pop_config")
            if (
                config is not None
                and before[config] == minimum_balance(73)
                and config not in self.ledger.accounts
            ):
                self._put(
                    config,
                    PopConfig(
                        self.terms.accounts["authority"],
                        self.signer,
                        _bump(b"pop-config", self.terms),
                    ),
                )
        wallets(self.ledger, row["result"])
        for key, lamports in before.items():
            if lamports == 0:
                self.ledger.accounts.pop(key, None)

    def _grant(self, accounts: dict[str, str], row: dict[str, Any]) -> Grant:
        what, now = row["what"], row["result"]["blockTime"]
        number = (
            93
            if accounts["grant"] == self.first
            else 7002 + OTHERS.index(what)
            if what in OTHERS
            else 1
        )
        start = now + 3600 if what == "grant not started" else self.born
        expires = now - 1 if what == "grant expired" else 0
        return Grant(
            authority=self.terms.accounts["authority"],
            mint=accounts["mint"],
            vault=accounts["vault"],
            grant_id=number,
            amount_per_period=1,
            period_seconds=MONTH,
            start_ts=start,
            expires_at=expires,
            merkle_root=GENESIS_HASH,
            paused=False,
            bump=_grant_bump(self.terms.accounts["authority"], accounts["mint"], number),
        )

    def _put(self, key: str, value: Grant | PopConfig) -> None:
        data = encode_account(value)
        self.ledger = self.ledger.with_accounts(
            {key: Account(minimum_balance(len(data)), PROGRAM_ID, data)}
        )


def _instructions(row: dict[str, Any]) -> list[ProgramInstruction]:
    signed, _ = read_signed(transaction_of(row["result"]), Ledger())
    found = []
    for call in signed.instructions:
        if call.program == PROGRAM_ID:
            try:
                found.append(decode_instruction(call.data, [meta.key for meta in call.metas]))
            except InstructionError:
                continue
    return found


def _bump(seed: bytes, terms: ProgramInstruction) -> int:
    from solders.pubkey import Pubkey

    return Pubkey.find_program_address(
        [seed, bytes(Pubkey.from_string(terms.accounts["authority"]))],
        Pubkey.from_string(PROGRAM_ID),
    )[1]


def _grant_bump(authority: str, mint: str, number: int) -> int:
    from solders.pubkey import Pubkey

    seeds = [
        b"grant",
        bytes(Pubkey.from_string(authority)),
        bytes(Pubkey.from_string(mint)),
        number.to_bytes(8, "little"),
    ]
    return Pubkey.find_program_address(seeds, Pubkey.from_string(PROGRAM_ID))[1]
