"""The instructions that the drill's people put into transactions."""

from __future__ import annotations

from typing import Any

from popkit.drill.machine import WRAPPER_PROGRAM
from popkit.drill.proofs import Proof
from popkit.drill.runtime import Instruction, Meta
from popkit.protocol.ed25519 import build_proof_instruction
from popkit.protocol.instructions import build_instruction
from popkit.protocol.keys import COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM, PROGRAM_ID, key_bytes


def grant_call(
    name: str, args: dict[str, Any], accounts: dict[str, str], legacy: bool = False
) -> Instruction:
    """An instruction of the grant program."""
    data, metas = build_instruction(name, args, accounts, legacy=legacy)
    return Instruction(PROGRAM_ID, data, tuple(Meta(*meta) for meta in metas))


def proof_call(proof: Proof) -> Instruction:
    """The ed25519 instruction of a proof."""
    return Instruction(
        ED25519_PROGRAM,
        build_proof_instruction(key_bytes(proof.signer), proof.signature, proof.message),
        (),
    )


def budget_calls() -> list[Instruction]:
    """What some wallets put in front."""
    return [
        Instruction(COMPUTE_BUDGET_PROGRAM, b"\x02" + (200_000).to_bytes(4, "little"), ()),
        Instruction(COMPUTE_BUDGET_PROGRAM, b"\x03" + (1_000).to_bytes(8, "little"), ()),
    ]


def wrapped(call: Instruction) -> Instruction:
    """The same instruction, invoked by another program."""
    return Instruction(
        WRAPPER_PROGRAM, b"\x07" + call.data, (*call.metas, Meta(PROGRAM_ID, False, False))
    )
