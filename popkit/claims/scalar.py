"""The claims of one transaction, read one at a time: v1, loaded addresses, json answers, calls from
other programs.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.claims.wire import NEVER_CALLERS
from popkit.evidence.rpc import Meta, Transactions
from popkit.protocol.ed25519 import (
    ProofDataError,
    ProofInstruction,
    read_proof,
    read_proof_leniently,
)
from popkit.protocol.instructions import (
    CLAIM_DISCRIMINATORS,
    InstructionError,
    ProgramInstruction,
    decode_instruction,
)
from popkit.protocol.keys import ED25519_PROGRAM
from popkit.protocol.transaction import (
    Instruction,
    Transaction,
    decode_wire,
    read_json,
    readable_inner_instructions,
)


@dataclass(frozen=True, slots=True)
class ScalarClaim:
    """One claim attempt; `inner_index` is None at top level; `proof_place` is 'preceding',
    'elsewhere' or None.
    """

    transaction: int
    index: int
    inner_index: int | None
    instruction: ProgramInstruction
    account_count: int
    token_account_index: int
    vault_index: int
    claimer_signed: bool
    proof: ProofInstruction | None
    proof_place: str | None


def decode_row(table: Transactions, row: int) -> Transaction:
    """The transaction of a row, from whatever encoding it came in. Raises TransactionError (a
    ValueError) when it is none.
    """
    wire, parsed, meta = table.wire[row], table.parsed[row], table.meta[row]
    if wire is not None:
        loaded = meta.loaded_addresses
        return decode_wire(
            wire, tuple(loaded.writable) if loaded else (), tuple(loaded.readonly) if loaded else ()
        )
    assert parsed is not None
    return read_json(parsed, _meta_mapping(meta), table.version[row])


def _meta_mapping(meta: Meta) -> dict[str, object]:
    loaded = meta.loaded_addresses
    addresses = (
        {"writable": list(loaded.writable), "readonly": list(loaded.readonly)} if loaded else None
    )
    return {"innerInstructions": meta.inner(), "loadedAddresses": addresses}


def program_calls(
    table: Transactions, row: int, tx: Transaction, program_id: str
) -> list[tuple[int, int | None, Instruction]]:
    """Every readable call of the program in a transaction, as (top-level index, inner index or
    None, instruction), in order.
    """
    calls: list[tuple[int, int | None, Instruction]] = [
        (index, None, instruction)
        for index, instruction in enumerate(tx.instructions)
        if instruction.program == program_id
    ]
    if program_id in tx.account_keys:
        for outer, inner, instruction in readable_inner_instructions(
            _meta_mapping(table.meta[row]), tx
        )[0]:
            if instruction.program == program_id:
                calls.append((outer, inner, instruction))
    return sorted(calls, key=lambda call: (call[0], -1 if call[1] is None else call[1]))


def unreadable_calls(table: Transactions, row: int, tx: Transaction, program_id: str) -> str | None:
    """Why calls of the program may be hidden among inner instructions that cannot be read; None
    when none can be.

    Only a program that could call ours hides anything: what the token program or ours itself calls
    is no claim.
    """
    if all(instruction.program in (program_id, *NEVER_CALLERS) for instruction in tx.instructions):
        return None
    return readable_inner_instructions(_meta_mapping(table.meta[row]), tx)[1]


def is_claim(instruction: Instruction) -> bool:
    return (
        instruction.data is not None
        and instruction.data[:8] in CLAIM_DISCRIMINATORS
        and len(instruction.accounts) >= 9
    )


def scalar_claims(
    table: Transactions, row: int, tx: Transaction, program_id: str
) -> list[ScalarClaim]:
    """The claim attempts of one transaction, calls by other programs included."""
    found = []
    for index, inner, call in program_calls(table, row, tx, program_id):
        if not is_claim(call):
            continue
        assert call.data is not None
        try:
            decoded = decode_instruction(call.data, call.accounts)
        except InstructionError:
            continue  # refused before it was a claim: its arguments cannot be read
        proof, place = find_proof(tx, index)
        claimer = decoded.accounts["claimer"]
        found.append(
            ScalarClaim(
                transaction=row,
                index=index,
                inner_index=inner,
                instruction=decoded,
                account_count=len(call.accounts),
                token_account_index=tx.account_keys.index(decoded.accounts["claimer_ata"]),
                vault_index=tx.account_keys.index(decoded.accounts["vault"]),
                claimer_signed=claimer in tx.account_keys[: tx.num_required_signatures],
                proof=proof if len(call.accounts) >= 12 else None,
                proof_place=place if len(call.accounts) >= 12 else None,
            )
        )
    return found


def find_proof(tx: Transaction, index: int) -> tuple[ProofInstruction | None, str | None]:
    """The proof of a claim at a top-level index.

    'preceding' is what the program reads: the instruction right before, all indices 0xFFFF. Where
    that is none, the one ed25519 instruction of the transaction, if there is exactly one, is what
    the wallet meant ('elsewhere').
    """
    if index > 0 and tx.instructions[index - 1].program == ED25519_PROGRAM:
        data = tx.instructions[index - 1].data
        try:
            if data is not None:
                return read_proof(data), "preceding"
        except ProofDataError:
            pass
    proofs = [
        (at, ix.data)
        for at, ix in enumerate(tx.instructions)
        if ix.program == ED25519_PROGRAM and ix.data is not None
    ]
    if len(proofs) == 1:
        at, data = proofs[0]
        assert data is not None
        lenient = read_proof_leniently(data, at)
        if lenient is not None:
            return lenient, "elsewhere"
    return None, None
