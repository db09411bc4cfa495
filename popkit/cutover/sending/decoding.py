"""Instructions that were read from bytes, in names; anything that no step of a cutover sends is
refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import CREATE_WITH_SEED, LIMIT, PRICE, marker_address
from popkit.protocol import pda
from popkit.protocol.ed25519 import ProofDataError, build_proof_instruction, read_proof
from popkit.protocol.instructions import InstructionError, decode_instruction
from popkit.protocol.keys import (
    ATA_PROGRAM,
    COMPUTE_BUDGET_PROGRAM,
    ED25519_PROGRAM,
    SYSTEM_PROGRAM,
    TOKEN_PROGRAM,
    b58encode,
)
from popkit.protocol.transaction import TransactionError
from popkit.protocol.transaction_model import Instruction
from popkit.protocol.wire import Reader
from popkit.texts import Sentence, Text, sentence

_ADVANCE_NONCE = 4
_ASK_AGAIN = Text(
    "nothing was sent; do not sign it again before you know who changed it",
    "何も送信していません。だれが変えたのかが分かるまで、もう一度署名しないでください",
)


@dataclass(frozen=True, slots=True)
class Decoded:
    """One instruction as it was read from bytes: `accounts` by the names that the program gives
    them, `args` as JSON values.
    """

    name: str
    program: str
    args: dict[str, Any]
    accounts: dict[str, str]


_NONCE = Text(
    "AdvanceNonceAccount, which nobody asked for: whoever holds such a transaction can send it at "
    "any time",
    "だれも求めていない AdvanceNonceAccount です。この取引を持つ人は、いつでも送信できます",
)
_OTHER_ACCOUNT = Text(
    "not the making of an associated token account where it is missing",
    "足りない関連トークンアカウントを作る命令ではありません",
)
_OTHER_PROOF = Text(
    "the proof is laid out in another way than it was built",
    "証明の配置が、組み立てたものと異なります",
)


class Unfit(ValueError):
    """An instruction that can be read, and is none that a cutover sends; its argument says why, as
    a sentence.
    """


def refuse(reason: Sentence) -> NoReturn:
    raise Stopped("not_as_intended", reason, _ASK_AGAIN)


def program_called(programs: Iterable[str]) -> str:
    """The grant program among the programs that a cutover's transaction calls; "" where it calls
    none.

    It is the one beside the helpers; a transaction that calls two others is refused when it is
    read.
    """
    return next((program for program in programs if program not in _READERS), "")


def decoded(at: int, instruction: Instruction, program: str) -> Decoded:
    """One instruction in names; `program` is the grant program. Refuses what a cutover does not
    send.
    """
    data = instruction.data or b""
    try:
        if instruction.program == program:
            return _grant_instruction(instruction, data)
        reader = _READERS.get(instruction.program)
        if reader is not None:
            return reader(instruction, data)
    except (InstructionError, ProofDataError, TransactionError, ValueError) as problem:
        refuse(
            sentence(
                "Instruction {at} cannot be read whole: {problem}.",
                "命令 {at} を完全には読めません。{problem}",
                at=at,
                problem=problem.args[0] if isinstance(problem, Unfit) else problem,
            )
        )
    refuse(
        sentence(
            "Instruction {at} calls {program}, which no step of a cutover calls.",
            "命令 {at} は {program} を呼び出しますが、切り替えのどの手順もこれを呼びません。",
            at=at,
            program=instruction.program,
        )
    )


def _grant_instruction(instruction: Instruction, data: bytes) -> Decoded:
    read = decode_instruction(data, instruction.accounts)
    if read.trailing or read.extra_accounts:
        raise Unfit(
            sentence(
                "{name} has {bytes} bytes and {accounts} accounts too many",
                "{name} にバイトが {bytes}、アカウントが {accounts} 余分にあります",
                name=read.name,
                bytes=len(read.trailing),
                accounts=len(read.extra_accounts),
            )
        )
    # What the program reads is canonical: the same arguments make the same bytes.
    args = {
        name: [item.hex() for item in value] if isinstance(value, tuple) else value
        for name, value in read.args.items()
    }
    return Decoded(read.name, instruction.program, args, dict(read.accounts))


def _budget_instruction(instruction: Instruction, data: bytes) -> Decoded:
    if instruction.accounts:
        raise Unfit(
            Text(
                "a compute-budget instruction has no accounts",
                "計算予算の命令にアカウントはありません",
            )()
        )
    if len(data) == 5 and data[0] == LIMIT:
        return Decoded(
            "compute_limit", instruction.program, {"units": int.from_bytes(data[1:], "little")}, {}
        )
    if len(data) == 9 and data[0] == PRICE:
        return Decoded(
            "compute_price",
            instruction.program,
            {"micro_lamports": int.from_bytes(data[1:], "little")},
            {},
        )
    raise Unfit(Text("neither a compute limit nor a price", "計算量の上限でも価格でもありません")())


def _system_instruction(instruction: Instruction, data: bytes) -> Decoded:
    reader = Reader(data)
    kind = reader.number(4, "the system instruction")
    if kind == _ADVANCE_NONCE:
        raise Unfit(_NONCE())
    if kind != CREATE_WITH_SEED:
        raise Unfit(
            sentence(
                "system instruction {kind} is none that a cutover sends",
                "システム命令 {kind} は、切り替えが送るものではありません",
                kind=kind,
            )
        )
    base = b58encode(reader.take(32, "the base"))
    seed = reader.take(reader.number(8, "the seed's length"), "the seed").decode()
    lamports, space = reader.number(8, "the lamports"), reader.number(8, "the space")
    owner = b58encode(reader.take(32, "the owner"))
    accounts = dict(zip(("base", "marker"), instruction.accounts, strict=True))
    if (
        reader.left
        or space
        or owner != SYSTEM_PROGRAM
        or accounts["base"] != base
        or accounts["marker"] != marker_address(base, seed)
    ):
        raise Unfit(
            Text(
                "an account is made with a seed, and it is no marker",
                "シード付きのアカウントが作られますが、目印ではありません",
            )()
        )
    return Decoded("marker", instruction.program, {"seed": seed, "lamports": lamports}, accounts)


def _token_account_instruction(instruction: Instruction, data: bytes) -> Decoded:
    names = ("payer", "account", "owner", "mint", "system_program", "token_program")
    accounts = dict(zip(names, instruction.accounts, strict=True))
    if data != b"\1" or accounts["account"] != pda.associated_token_address(
        accounts["owner"], accounts["mint"]
    ):
        raise Unfit(_OTHER_ACCOUNT())
    if (accounts["system_program"], accounts["token_program"]) != (SYSTEM_PROGRAM, TOKEN_PROGRAM):
        raise Unfit(_OTHER_ACCOUNT())
    return Decoded("create_token_account", instruction.program, {}, accounts)


def _proof_instruction(instruction: Instruction, data: bytes) -> Decoded:
    if instruction.accounts:
        raise Unfit(_OTHER_PROOF())
    read = read_proof(data)
    if build_proof_instruction(read.public_key, read.signature, read.message) != data:
        raise Unfit(_OTHER_PROOF())
    args = {
        "signer": b58encode(read.public_key),
        "signature": b58encode(read.signature),
        "message": read.message.hex(),
    }
    return Decoded("proof", instruction.program, args, {})


_READERS = {
    COMPUTE_BUDGET_PROGRAM: _budget_instruction,
    SYSTEM_PROGRAM: _system_instruction,
    ATA_PROGRAM: _token_account_instruction,
    ED25519_PROGRAM: _proof_instruction,
}
