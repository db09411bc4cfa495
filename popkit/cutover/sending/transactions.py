"""What a cutover puts into transactions, and reading it back: built from intended calls, compared
byte for byte before it is sent.

Messages are legacy ones, with accounts in the order that the chain's own library gives them, so
that the same calls make the same bytes on every machine. What comes back from a signer is decoded
again from its bytes, and must be what the same calls make (`reference/sending.md` §3 and §4.17): a
message that differs in one byte is another transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from solders.hash import Hash
from solders.instruction import AccountMeta as SoldersMeta
from solders.instruction import Instruction as SoldersInstruction
from solders.message import Message
from solders.pubkey import Pubkey

from popkit.cutover.errors import Stopped
from popkit.cutover.sending.calls import (
    Call,
    GrantPlace,
    budget,
    claim_grant,
    close_grant,
    create_grant,
    create_token_account,
    fund_grant,
    marker,
    marker_address,
    marker_seed,
    proof,
    set_paused,
    upsert_pop_config,
)
from popkit.cutover.sending.decoding import Decoded, decoded, program_called, refuse
from popkit.protocol.keys import (
    COMPUTE_BUDGET_PROGRAM,
    b58decode,
    key_bytes,
    verify_strict,
)
from popkit.protocol.transaction import Transaction, TransactionError, decode_wire
from popkit.protocol.wire import compact_bytes
from popkit.texts import Sentence, sentence

MAX_WIRE = 1232
"""Bytes of a transaction that a node takes."""

__all__ = [
    "MAX_WIRE",
    "Call",
    "Decoded",
    "GrantPlace",
    "budget",
    "claim_grant",
    "close_grant",
    "compared",
    "create_grant",
    "create_token_account",
    "digest_of",
    "fund_grant",
    "marker",
    "marker_address",
    "marker_seed",
    "message_in",
    "message_of",
    "proof",
    "read_aloud",
    "read_back",
    "set_paused",
    "signature_of",
    "signers_of",
    "unsigned",
    "upsert_pop_config",
    "wire_of",
    "writable_of",
]


def message_of(
    calls: Iterable[Call],
    payer: str,
    blockhash: str,
    limit: int | None = None,
    price: int | None = None,
) -> bytes:
    """The bytes to be signed: a legacy message of these calls, with the compute budget in front
    where it is given.
    """
    items = [
        SoldersInstruction(
            Pubkey.from_string(call.program),
            call.data,
            [
                SoldersMeta(Pubkey.from_string(meta.pubkey), meta.is_signer, meta.is_writable)
                for meta in call.metas
            ],
        )
        for call in [*budget(limit, price), *calls]
    ]
    return bytes(
        Message.new_with_blockhash(items, Pubkey.from_string(payer), Hash.from_string(blockhash))
    )


def signers_of(message: bytes) -> tuple[str, ...]:
    """Whose signatures a legacy message needs, the payer first."""
    return _read(unsigned(message)).account_keys[: message[0]]


def writable_of(calls: Iterable[Call], payer: str) -> tuple[str, ...]:
    """The accounts that a transaction of these calls may change, the payer first, each once."""
    return tuple(
        dict.fromkeys(
            [payer, *(meta.pubkey for call in calls for meta in call.metas if meta.is_writable)]
        )
    )


def wire_of(message: bytes, signatures: Mapping[str, bytes]) -> bytes:
    """The transaction's bytes: every signature in its place, each verified. Raises Stopped where
    one is missing, foreign or false.
    """
    signers = signers_of(message)
    if set(signatures) != set(signers):
        refuse(
            sentence(
                "The transaction needs the signatures of {needed}, and it has those of {given}.",
                "このトランザクションには {needed} の署名が必要ですが、あるのは {given} の署名です。",
                needed=", ".join(signers),
                given=", ".join(signatures) or "-",
            )
        )
    for key in signers:
        if not verify_strict(key_bytes(key), message, signatures[key]):
            refuse(_false_signature(key))
    return _sized(
        compact_bytes(len(signers)) + b"".join(signatures[key] for key in signers) + message
    )


def unsigned(message: bytes) -> bytes:
    """The transaction's bytes with zeros in the place of its signatures, for a simulation that does
    not verify them.
    """
    if not message or message[0] & 0x80:
        refuse(
            sentence(
                "The message is not a legacy message.",
                "このメッセージはレガシー形式ではありません。",
            )
        )
    return _sized(compact_bytes(message[0]) + bytes(64 * message[0]) + message)


def message_in(wire: bytes) -> bytes:
    """The signed bytes of a transaction: what stands after its signatures."""
    read = _read(wire).message_bytes
    assert read is not None  # wire bytes always hold the message
    return read


def signature_of(wire: bytes) -> str:
    """The first signature, by which the chain knows a transaction."""
    return _read(wire).signatures[0]


def read_back(wire: bytes, program: str) -> list[Decoded]:
    """Every instruction of a transaction's bytes, decoded; `program` is the grant program.

    Raises Stopped("not_as_intended") for anything that a cutover does not send.

    Refused are: bytes too many or too few, another version than legacy, address tables, an account
    listed twice, a program that a cutover does not call, an AdvanceNonce, data or accounts that the
    program would not read whole, a compute budget that is not in front.
    """
    read = _read(wire)
    if read.version != "legacy":
        refuse(
            sentence(
                "The transaction has version {version}; legacy was built.",
                "トランザクションのバージョンが {version} です。組み立てたのはレガシー形式です。",
                version=read.version,
            )
        )
    if len(set(read.account_keys)) != len(read.account_keys):
        refuse(
            sentence(
                "The transaction lists an account twice.",
                "トランザクションに同じアカウントが二度出ています。",
            )
        )
    found = [decoded(at, instruction, program) for at, instruction in enumerate(read.instructions)]
    if not found:
        refuse(
            sentence(
                "The transaction holds no instruction.",
                "トランザクションに命令が一つもありません。",
            )
        )
    names = [each.name for each in found]
    front = sum(1 for each in found if each.program == COMPUTE_BUDGET_PROGRAM)
    if names[:front] != [name for name in ("compute_limit", "compute_price") if name in names]:
        refuse(
            sentence(
                "The compute budget is not set once, in front.",
                "計算予算の設定が、先頭に一度だけという形になっていません。",
            )
        )
    return found


def compared(
    wire: bytes,
    intended: Sequence[Call],
    payer: str,
    *,
    blockhash: str | None = None,
    limit: int | None = None,
    price: int | None = None,
) -> list[Decoded]:
    """The instructions of a signed transaction that is exactly what was intended;
    Stopped("not_as_intended") where it is not.

    It is decoded from its bytes first, so that a refusal names the instruction that differs; then
    it must be, byte for byte, what the intended calls make; then every signature must hold over
    those bytes. `blockhash` None takes the one that it names.
    """
    program = program_called(call.program for call in intended)
    found = read_back(wire, program)
    read = _read(wire)
    wanted = message_of(intended, payer, blockhash or str(read.blockhash), limit, price)
    if read.message_bytes != wanted:
        refuse(
            _first_difference(
                found, read_back(unsigned(wanted), program), read.account_keys[0], payer
            )
        )
    for key, signature in zip(read.account_keys, read.signatures, strict=False):
        if not verify_strict(key_bytes(key), wanted, b58decode(signature)):
            refuse(_false_signature(key))
    return found


def digest_of(data: bytes) -> str:
    """The SHA-256 of bytes, hex: what two people compare aloud."""
    return sha256(data).hexdigest()


def read_aloud(digest: str) -> tuple[str, ...]:
    """A SHA-256 in hex as eight groups of eight digits, to be read aloud and pointed at one by one."""
    if len(digest) != 64:
        raise ValueError(f"a digest of 64 hex digits expected, got {len(digest)} characters")
    return tuple(digest[at : at + 8] for at in range(0, 64, 8))


def _false_signature(key: str) -> Sentence:
    return sentence(
        "The signature of {key} does not hold over the bytes that were to be signed.",
        "署名対象のバイト列に対して、{key} の署名が成立しません。",
        key=key,
    )


def _sized(wire: bytes) -> bytes:
    if len(wire) <= MAX_WIRE:
        return wire
    reason = sentence(
        "The transaction has {size} bytes; a node takes {most}.",
        "トランザクションは {size} バイトです。ノードが受け取るのは {most} バイトまでです。",
        size=len(wire),
        most=MAX_WIRE,
    )
    raise Stopped(
        "too_big",
        reason,
        sentence(
            "carry its calls out as separate steps", "呼び出しを別々の手順に分けて実行してください"
        ),
    )


def _read(wire: bytes) -> Transaction:
    try:
        return decode_wire(wire)
    except TransactionError as problem:
        refuse(
            sentence(
                "The bytes are not one whole transaction: {problem}.",
                "このバイト列は一つの完全なトランザクションではありません。{problem}",
                problem=problem,
            )
        )


def _first_difference(
    found: Sequence[Decoded], wanted: Sequence[Decoded], payer: str, intended_payer: str
) -> Sentence:
    """The first thing by which a message is another than the intended one, in words."""
    if payer != intended_payer:
        return sentence(
            "The fee payer is {found}; {wanted} was intended.",
            "手数料の支払者が {found} です。意図したのは {wanted} です。",
            found=payer,
            wanted=intended_payer,
        )
    for at, (one, other) in enumerate(zip(found, wanted, strict=False)):
        if one != other:
            return sentence(
                "Instruction {at} is {found}; {wanted} was intended.",
                "命令 {at} が {found} です。意図したのは {wanted} です。",
                at=at,
                found=_spelled(one),
                wanted=_spelled(other),
            )
    if len(found) != len(wanted):
        return sentence(
            "The transaction holds {found} instructions; {wanted} were intended.",
            "トランザクションの命令が {found} 個です。意図したのは {wanted} 個です。",
            found=len(found),
            wanted=len(wanted),
        )
    return sentence(
        "The transaction's accounts, flags or blockhash differ from the intended ones.",
        "トランザクションのアカウント、フラグまたはブロックハッシュが、意図したものと異なります。",
    )


def _spelled(call: Decoded) -> str:
    args = ", ".join(
        f"{name}={value}" for name, value in [*call.args.items(), *call.accounts.items()]
    )
    return f"{call.name}({args})"
