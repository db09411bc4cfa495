"""What a cutover signs: the same bytes as the recorded sessions, and nothing else gets through the
reading back.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solders.hash import Hash
from solders.keypair import Keypair
from solders.message import Message, MessageAddressTableLookup, MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.cutover.errors import Stopped
from popkit.cutover.sending import transactions
from popkit.cutover.sending.transactions import (
    Call,
    Decoded,
    GrantPlace,
    compared,
    message_of,
    read_back,
    signers_of,
    unsigned,
    wire_of,
)
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, b58decode
from popkit.texts import LANGUAGES
from tests.cutover.sessions import ERAS, sent

AUTHORITY = Keypair.from_seed(b"the authority of a drilled grant")
PAYER = str(AUTHORITY.pubkey())
MINT = str(Keypair.from_seed(b"a mint of tickets for the school").pubkey())
PLACE = GrantPlace(PROGRAM_ID, PAYER, MINT, 77)
BLOCKHASH = str(Hash.hash(b"a recent block"))
TERMS = {
    "amount_per_period": 1,
    "period_seconds": 2_592_000,
    "start_ts": 1_772_000_000,
    "expires_at": 0,
}
SWITCH = [
    transactions.set_paused(GrantPlace(PROGRAM_ID, PAYER, MINT, 76)),
    transactions.create_grant(PLACE, **TERMS),
    transactions.fund_grant(PLACE, 40),
    transactions.upsert_pop_config(PROGRAM_ID, PAYER, MINT),
]


def signed(message: bytes, *keys: Keypair) -> bytes:
    return wire_of(
        message,
        {str(key.pubkey()): bytes(key.sign_message(message)) for key in keys or (AUTHORITY,)},
    )


WIRE = signed(message_of(SWITCH, PAYER, BLOCKHASH, 200_000, 1_000))


def refusal(wire: bytes, intended: list[Call] = SWITCH, payer: str = PAYER) -> Stopped:
    with pytest.raises(Stopped) as caught:
        compared(wire, intended, payer, blockhash=BLOCKHASH, limit=200_000, price=1_000)
    assert caught.value.code == "not_as_intended"
    assert len({caught.value.in_language(language) for language in LANGUAGES}) == len(LANGUAGES)
    return caught.value


def rebuilt(read: Decoded) -> Call:
    """The call that a cutover builds from the values of a decoded one."""
    a, args = read.accounts, read.args
    if read.name == "upsert_pop_config":
        return transactions.upsert_pop_config(read.program, a["authority"], args["signer_pubkey"])
    if read.name == "create_grant":
        terms = {name: args[name] for name in TERMS}
        return transactions.create_grant(
            GrantPlace(read.program, a["authority"], a["mint"], args["grant_id"]), **terms
        )
    if read.name == "create_token_account":
        return transactions.create_token_account(a["payer"], a["owner"], a["mint"])
    if read.name == "proof":
        return transactions.proof(
            args["signer"], b58decode(args["signature"]), bytes.fromhex(args["message"])
        )
    raise AssertionError(read.name)


@pytest.mark.parametrize("era", ERAS)
def test_the_transactions_of_a_recorded_cutover_are_built_again(era: str) -> None:
    grants: dict[str, GrantPlace] = {}
    names = set()
    for row in sent(era):
        read, calls = row.read, []
        for recorded in read_back(row.wire, PROGRAM_ID):
            a, args = recorded.accounts, recorded.args
            if recorded.name == "create_grant":
                grants[a["grant"]] = GrantPlace(
                    PROGRAM_ID, a["authority"], a["mint"], args["grant_id"]
                )
            match recorded.name:
                case "set_paused":
                    calls.append(transactions.set_paused(row.place(a["grant"]), args["paused"]))
                case "fund_grant":
                    calls.append(
                        transactions.fund_grant(
                            grants[a["grant"]],
                            args["amount"],
                            funder=a["funder"],
                            source=a["from_ata"],
                        )
                    )
                case "claim_grant":
                    calls.append(
                        transactions.claim_grant(
                            grants[a["grant"]], a["claimer"], args["period_index"]
                        )
                    )
                case _:
                    calls.append(rebuilt(recorded))
        names |= {call.name for call in calls}
        assert message_of(calls, read.account_keys[0], str(read.blockhash)) == read.message_bytes, (
            row.step
        )
        assert [each.name for each in compared(row.wire, calls, read.account_keys[0])] == [
            call.name for call in calls
        ]
    assert names == {
        "set_paused", "create_grant", "fund_grant", "upsert_pop_config", "create_token_account", "proof", "claim_grant",
    }  # fmt: skip


def test_a_compute_budget_stands_in_front_and_only_where_it_is_given() -> None:
    assert [each.name for each in read_back(WIRE, PROGRAM_ID)][:3] == [
        "compute_limit",
        "compute_price",
        "set_paused",
    ]
    assert [each.args for each in read_back(WIRE, PROGRAM_ID)][:2] == [
        {"units": 200_000},
        {"micro_lamports": 1_000},
    ]
    plain = read_back(unsigned(message_of(SWITCH, PAYER, BLOCKHASH)), PROGRAM_ID)
    assert [each.name for each in plain] == [
        "set_paused",
        "create_grant",
        "fund_grant",
        "upsert_pop_config",
    ]


def test_what_is_signed_is_what_was_intended() -> None:
    names = [
        each.name
        for each in compared(WIRE, SWITCH, PAYER, blockhash=BLOCKHASH, limit=200_000, price=1_000)
    ]
    assert names[2:] == [call.name for call in SWITCH]


@given(st.integers(0, len(WIRE) - 1), st.integers(1, 255))
def test_any_byte_changed_is_refused(at: int, change: int) -> None:
    changed = bytearray(WIRE)
    changed[at] ^= change
    refusal(bytes(changed))


@given(st.integers(0, len(WIRE) - 66), st.integers(1, 255))
def test_any_byte_of_the_message_changed_is_refused_though_it_is_signed_anew(
    at: int, change: int
) -> None:
    message = bytearray(transactions.message_in(WIRE))
    message[at] ^= change
    wire = b"\1" + bytes(AUTHORITY.sign_message(bytes(message))) + bytes(message)
    refusal(wire)


@given(st.integers(0, len(WIRE)))
def test_bytes_too_few_or_too_many_are_refused(length: int) -> None:
    if length < len(WIRE):
        refusal(WIRE[:length])
    else:
        refusal(WIRE + b"\0")


def other(calls: list[Call], payer: Keypair = AUTHORITY) -> bytes:
    return signed(
        message_of(calls, str(payer.pubkey()), BLOCKHASH, 200_000, 1_000), *{AUTHORITY, payer}
    )


STRANGER = Keypair.from_seed(b"somebody else, who would pay too")


def with_nonce() -> bytes:
    metas = (AccountMeta(MINT, False, True), AccountMeta(PAYER, True, False))
    return other([Call("nonce", SYSTEM_PROGRAM, metas, b"\4\0\0\0"), *SWITCH])


def with_transfer() -> bytes:
    metas = (AccountMeta(PAYER, True, True), AccountMeta(MINT, False, True))
    return other(
        [*SWITCH, Call("transfer", SYSTEM_PROGRAM, metas, b"\2\0\0\0" + (5).to_bytes(8, "little"))]
    )


def with_unknown_program() -> bytes:
    return other([*SWITCH, Call("other", MINT, (), b"")])


def with_trailing_data() -> bytes:
    last = SWITCH[-1]
    return other([*SWITCH[:-1], Call(last.name, last.program, last.metas, last.data + b"\0")])


def with_more_accounts() -> bytes:
    last = SWITCH[-1]
    return other(
        [
            *SWITCH[:-1],
            Call(
                last.name, last.program, (*last.metas, AccountMeta(MINT, False, False)), last.data
            ),
        ]
    )


def in_another_order() -> bytes:
    return other([SWITCH[1], SWITCH[0], *SWITCH[2:]])


def with_one_left_out() -> bytes:
    return other(SWITCH[:-1])


def with_the_budget_behind() -> bytes:
    return signed(message_of([*SWITCH, *transactions.budget(200_000, 1_000)], PAYER, BLOCKHASH))


def with_another_amount() -> bytes:
    return other([*SWITCH[:2], transactions.fund_grant(PLACE, 41), SWITCH[3]])


def with_another_payer() -> bytes:
    return other(SWITCH, STRANGER)


def as_version_0() -> bytes:
    old = Message.from_bytes(transactions.message_in(WIRE))
    table = MessageAddressTableLookup(Pubkey.from_string(MINT), b"", b"\0")
    message = MessageV0(
        old.header, list(old.account_keys), old.recent_blockhash, list(old.instructions), [table]
    )
    return bytes(VersionedTransaction(message, [AUTHORITY]))


def with_an_account_twice() -> bytes:
    old = Message.from_bytes(transactions.message_in(WIRE))
    h = old.header
    counts = (
        h.num_required_signatures,
        h.num_readonly_signed_accounts,
        h.num_readonly_unsigned_accounts + 1,
    )
    keys = [*old.account_keys, old.account_keys[1]]
    message = bytes(
        Message.new_with_compiled_instructions(
            *counts, keys, old.recent_blockhash, list(old.instructions)
        )
    )
    return b"\1" + bytes(AUTHORITY.sign_message(message)) + message


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (with_nonce, "AdvanceNonceAccount"),
        (with_transfer, "system instruction 2"),
        (with_unknown_program, "which no step of a cutover calls"),
        (with_trailing_data, "1 bytes and 0 accounts too many"),
        (with_more_accounts, "0 bytes and 1 accounts too many"),
        (in_another_order, "Instruction 2 is create_grant"),
        (with_one_left_out, "holds 5 instructions; 6 were intended"),
        (with_the_budget_behind, "not set once, in front"),
        (with_another_amount, "fund_grant(amount=41"),
        (with_another_payer, "The fee payer is"),
        (as_version_0, "not one whole transaction"),
        (with_an_account_twice, "lists an account twice"),
    ],
)
def test_what_a_malicious_signer_sends_back_is_refused(
    make: Callable[[], bytes], words: str
) -> None:
    assert words in str(refusal(make()))


def test_a_message_on_another_blockhash_is_another_message() -> None:
    wire = signed(message_of(SWITCH, PAYER, str(Hash.hash(b"another block")), 200_000, 1_000))
    assert "blockhash" in str(refusal(wire))


def test_signatures_are_complete_and_true() -> None:
    calls = [transactions.fund_grant(PLACE, 3, funder=str(STRANGER.pubkey()))]
    message = message_of(calls, PAYER, BLOCKHASH)
    assert set(signers_of(message)) == {PAYER, str(STRANGER.pubkey())}
    whole = {str(key.pubkey()): bytes(key.sign_message(message)) for key in (AUTHORITY, STRANGER)}
    assert compared(wire_of(message, whole), calls, PAYER)
    for given_ in (
        {PAYER: whole[PAYER]},
        {**whole, MINT: whole[PAYER]},
        {**whole, PAYER: whole[str(STRANGER.pubkey())]},
        {**whole, PAYER: bytes(64)},
    ):
        with pytest.raises(Stopped) as caught:
            wire_of(message, given_)
        assert caught.value.code == "not_as_intended"
    with pytest.raises(Stopped, match="does not hold"):
        compared(unsigned(message), calls, PAYER)


def test_a_transaction_that_no_node_takes_is_not_made() -> None:
    calls = [transactions.marker(PAYER, f"{number:032x}", 890_880) for number in range(12)]
    with pytest.raises(Stopped) as caught:
        unsigned(message_of(calls, PAYER, BLOCKHASH))
    assert caught.value.code == "too_big"


def test_a_marker_stands_at_an_address_of_the_plan_and_step() -> None:
    seed = transactions.marker_seed("ab" * 32, "2")
    assert len(seed) == 32
    assert seed != transactions.marker_seed("ab" * 32, "3")
    call = transactions.marker(PAYER, seed, 890_880)
    assert call.metas[1].pubkey == transactions.marker_address(PAYER, seed)
    (read,) = read_back(unsigned(message_of([call], PAYER, BLOCKHASH)), PROGRAM_ID)
    assert (read.name, read.args) == ("marker", {"seed": seed, "lamports": 890_880})
    elsewhere = Call(
        call.name, call.program, (call.metas[0], AccountMeta(MINT, False, True)), call.data
    )
    with pytest.raises(Stopped, match="no marker"):
        read_back(unsigned(message_of([elsewhere], PAYER, BLOCKHASH)), PROGRAM_ID)


def test_a_signer_of_zeros_is_not_named() -> None:
    with pytest.raises(ValueError, match="32 zero bytes"):
        transactions.upsert_pop_config(PROGRAM_ID, PAYER, SYSTEM_PROGRAM)


def test_a_digest_is_read_aloud_in_eight_groups() -> None:
    digest = transactions.digest_of(WIRE)
    groups = transactions.read_aloud(digest)
    assert len(groups) == 8
    assert "".join(groups) == digest
    with pytest.raises(ValueError, match="64 hex digits"):
        transactions.read_aloud(digest[:-1])
