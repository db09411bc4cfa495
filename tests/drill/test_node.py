"""The calls of a living node beyond those of a replay, and what the runtime does that no recorded
claim needs.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64
import pytest
from solders.hash import Hash
from solders.message import Message
from solders.signature import Signature
from solders.transaction import VersionedTransaction

from popkit.drill import addresses as pda
from popkit.drill.chain import Chain
from popkit.drill.ledger import minimum_balance
from popkit.drill.machine import MEMO_PROGRAM, PROGRAM_DATA
from popkit.drill.node import LiveNode
from popkit.drill.runtime import Instruction, Meta
from popkit.drill.system import create_account, nonce_value
from popkit.drill.world import SUPPLY, World, sound
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM, key_bytes
from popkit.serving.params import RpcError

RECENT_BLOCKHASHES = "SysvarRecentB1ockHashes11111111111111111111"


@pytest.fixture
def world() -> World:
    made, _, _ = sound("strict", "A", "ann", "bob")
    made.tick(60)
    return made


def ask(world: World, method: str, *given: Any) -> Any:
    return msgspec.json.decode(LiveNode(Chain(world)).answer(method, list(given)))


def test_a_block_holds_what_landed_in_it(world: World) -> None:
    landed = world.landed[-1]
    block = ask(
        world, "getBlock", landed.slot, {"encoding": "base64", "maxSupportedTransactionVersion": 0}
    )
    assert [row["transaction"] for row in block["transactions"]] == [landed.result["transaction"]]
    assert (block["blockTime"], block["parentSlot"]) == (
        ask(world, "getBlockTime", landed.slot),
        landed.slot - 1,
    )
    assert (
        block["previousBlockhash"]
        == ask(world, "getBlock", landed.slot - 1, {"transactionDetails": "none"})["blockhash"]
    )
    with pytest.raises(RpcError, match="not available"):
        ask(world, "getBlock", ask(world, "getSlot") + 100, {})


def test_heights_epochs_and_fees(world: World) -> None:
    latest = ask(world, "getLatestBlockhash", {"commitment": "finalized"})["value"]
    height = ask(world, "getBlockHeight")
    assert latest["lastValidBlockHeight"] == height + 150
    assert ask(world, "isBlockhashValid", latest["blockhash"])["value"] is True
    epoch = ask(world, "getEpochInfo")
    assert (
        epoch["absoluteSlot"]
        == epoch["epoch"] * epoch["slotsInEpoch"] + epoch["slotIndex"]
        == ask(world, "getSlot")
    )
    assert len(ask(world, "getRecentPrioritizationFees", [])) == 150
    payer = world.key("ann").pubkey()
    for blockhash, fee in ((latest["blockhash"], 5000), (str(Hash.default()), None)):
        message = Message.new_with_blockhash([], payer, Hash.from_string(blockhash))
        assert (
            ask(world, "getFeeForMessage", pybase64.b64encode(bytes(message)).decode())["value"]
            == fee
        )
    world.tick(100)
    assert ask(world, "isBlockhashValid", latest["blockhash"])["value"] is False


def test_balances_and_the_deployed_program(world: World) -> None:
    handle = next(iter(world.grants.values()))
    balance = ask(world, "getTokenAccountBalance", handle.vault)["value"]
    assert balance == {"amount": "498", "decimals": 0, "uiAmount": 498.0, "uiAmountString": "498"}
    with pytest.raises(RpcError, match="not a Token account"):
        ask(world, "getTokenAccountBalance", handle.address)
    with pytest.raises(RpcError, match="could not find account"):
        ask(world, "getTokenAccountBalance", world.address("nobody"))
    program = ask(world, "getAccountInfo", PROGRAM_ID, {"encoding": "base64"})["value"]
    assert program["executable"] is True
    assert pybase64.b64decode(program["data"][0])[4:36] == key_bytes(PROGRAM_DATA)
    data = pybase64.b64decode(
        ask(world, "getAccountInfo", PROGRAM_DATA, {"encoding": "base64"})["value"]["data"][0]
    )
    assert b"build strict" in data


def test_a_durable_nonce_outlives_blockhashes_and_is_used_up_by_a_failure(world: World) -> None:
    nonce, authority, size = world.address("nonce"), world.address("ann"), 80
    make = Instruction(
        SYSTEM_PROGRAM,
        create_account(minimum_balance(size), size, SYSTEM_PROGRAM),
        (Meta(authority, True, True), Meta(nonce, True, True)),
    )
    sysvars = (Meta(RECENT_BLOCKHASHES, False, False),)
    start = Instruction(
        SYSTEM_PROGRAM, b"\6\0\0\0" + key_bytes(authority), (Meta(nonce, False, True), *sysvars)
    )
    assert world.send([make, start], "ann", ("nonce",)).err is None
    first = nonce_value(world.ledger.accounts[nonce])
    assert first is not None
    advance = Instruction(
        SYSTEM_PROGRAM,
        b"\4\0\0\0",
        (Meta(nonce, False, True), *sysvars, Meta(authority, True, False)),
    )
    poor = Instruction(
        SYSTEM_PROGRAM,
        b"\2\0\0\0" + (1 << 60).to_bytes(8, "little"),
        (Meta(authority, True, True), Meta(nonce, False, True)),
    )
    signed = _durable(world, [advance, poor], first)
    world.tick(3600)
    node = LiveNode(Chain(world))
    assert node.chain.refusal(signed, world.ledger) is None
    assert world.land(signed).err == {"InstructionError": [1, {"Custom": 1}]}
    assert nonce_value(world.ledger.accounts[nonce]) not in (None, first)
    world.tick(10)
    again = _durable(world, [advance], first)
    assert node.chain.refusal(again, world.ledger) == "BlockhashNotFound"
    misplaced = _durable(world, [poor, advance], str(nonce_value(world.ledger.accounts[nonce])))
    assert node.chain.refusal(misplaced, world.ledger) == "BlockhashNotFound"


def _durable(world: World, calls: list[Instruction], value: str) -> VersionedTransaction:
    message = world.sign(calls, "ann").message
    with_nonce = Message.new_with_compiled_instructions(
        message.header.num_required_signatures, message.header.num_readonly_signed_accounts, message.header.num_readonly_unsigned_accounts,
        list(message.account_keys), Hash.from_string(value), list(message.instructions),
    )  # fmt: skip
    return VersionedTransaction(with_nonce, [world.key("ann")])


def test_a_marker_at_a_seeded_address_stops_a_second_attempt_whole(world: World) -> None:
    from hashlib import sha256

    from popkit.protocol.keys import b58encode

    base, seed = world.address("ann"), b"plan and step"
    target = b58encode(sha256(key_bytes(base) + seed + key_bytes(SYSTEM_PROGRAM)).digest())
    numbers = minimum_balance(0).to_bytes(8, "little") + bytes(8)
    data = (
        b"\3\0\0\0"
        + key_bytes(base)
        + len(seed).to_bytes(8, "little")
        + seed
        + numbers
        + key_bytes(SYSTEM_PROGRAM)
    )
    mark = Instruction(SYSTEM_PROGRAM, data, (Meta(base, True, True), Meta(target, False, True)))
    pay = Instruction(
        SYSTEM_PROGRAM,
        b"\2\0\0\0" + (10**6).to_bytes(8, "little"),
        (Meta(base, True, True), Meta(world.address("bob"), False, True)),
    )
    assert world.send([mark, pay], "ann").err is None
    before = world.ledger.accounts[world.address("bob")]
    assert world.send([mark, pay], "ann").err == {"InstructionError": [0, {"Custom": 0}]}
    assert world.ledger.accounts[world.address("bob")] == before


def test_a_memo_is_logged_and_an_unpaid_account_is_refused(world: World) -> None:
    landed = world.send(
        [
            Instruction(
                MEMO_PROGRAM, "お知らせ".encode(), (Meta(world.address("ann"), True, False),)
            )
        ],
        "ann",
    )
    assert 'Program log: Memo (len 12): "お知らせ"' in landed.result["meta"]["logMessages"]
    little = Instruction(
        SYSTEM_PROGRAM,
        b"\2\0\0\0" + (5).to_bytes(8, "little"),
        (Meta(world.address("ann"), True, True), Meta(world.address("new"), False, True)),
    )
    assert world.send([little], "ann").err == {"InsufficientFundsForRent": {"account_index": 1}}


def test_what_a_message_costs_and_which_tokens_there_are(world: World) -> None:
    handle = next(iter(world.grants.values()))
    proof = world.worker.issue(handle.address, world.address("cat"))
    claim = world.sign(world.claim_calls(handle, proof, "cat", budget=True), "cat")
    message = pybase64.b64encode(bytes(claim.message)).decode()
    cost = ask(world, "getFeeForMessage", message, {"commitment": "processed"})["value"]
    assert cost == world.land(claim).result["meta"]["fee"] > 2 * 5000, (
        "the proof's signature and the price count"
    )
    world.tick(30)
    school, bob = (
        world.address("school"),
        pda.associated_token_address(world.address("bob"), handle.mint),
    )
    assert ask(world, "getTokenSupply", handle.mint)["value"]["amount"] == str(SUPPLY)
    rows = ask(world, "getTokenLargestAccounts", handle.mint)["value"]
    assert [row["amount"] for row in rows] == [str(SUPPLY - 500), "497", "1", "1", "1"]
    for wanted in ({"mint": handle.mint}, {"programId": TOKEN_PROGRAM}):
        owned = ask(
            world, "getTokenAccountsByOwner", world.address("bob"), wanted, {"encoding": "base64"}
        )["value"]
        assert [row["pubkey"] for row in owned] == [bob]
    assert (
        ask(
            world,
            "getTokenAccountsByDelegate",
            school,
            {"mint": handle.mint},
            {"encoding": "base64"},
        )["value"]
        == []
    )
    for method, *given in (
        ("getTokenSupply", handle.vault),
        ("getTokenLargestAccounts", school),
        ("getTokenAccountsByOwner", school, {"programId": PROGRAM_ID}),
        ("getTokenAccountsByOwner", school, {}),
    ):
        with pytest.raises(RpcError) as refused:
            ask(world, method, *given)
        assert refused.value.code == -32602


def test_prices_are_those_of_the_blocks_and_of_who_writes_an_account(world: World) -> None:
    handle = next(iter(world.grants.values()))
    proof = world.worker.issue(handle.address, world.address("cat"))
    landed = world.claim(handle, proof, "cat", budget=True)

    def paid(keys):
        return {
            row["slot"]: row["prioritizationFee"]
            for row in ask(world, "getRecentPrioritizationFees", keys)
        }[landed.slot]

    assert paid([]) == paid([handle.state]) == paid([world.address("nobody")]) > 0
    other = Instruction(MEMO_PROGRAM, b"for nothing", (Meta(world.address("dan"), True, True),))
    assert world.send([other], "dan").slot == landed.slot
    assert (paid([]), paid([world.address("dan")])) == (0, 0)
    assert paid([handle.state]) > 0


def test_a_blockhash_is_known_to_who_stands_there_and_to_nobody_behind(world: World) -> None:
    world.ledger.fund(world.address("dan"), 10**9)
    chain = Chain(world)
    first, lagging = LiveNode(chain), LiveNode(chain, "behind", behind=100)
    newest = msgspec.json.decode(first.answer("getLatestBlockhash", [{"commitment": "processed"}]))[
        "value"
    ]["blockhash"]
    assert (
        msgspec.json.decode(
            first.answer("isBlockhashValid", [newest, {"commitment": "processed"}])
        )["value"]
        is True
    )
    assert msgspec.json.decode(first.answer("isBlockhashValid", [newest]))["value"] is False, (
        "finalized blocks do not hold it yet"
    )
    memo = Instruction(MEMO_PROGRAM, b"hello", (Meta(world.address("dan"), True, False),))
    wire = pybase64.b64encode(bytes(world.sign([memo], "dan"))).decode()
    config = {"encoding": "base64", "preflightCommitment": "processed"}
    with pytest.raises(RpcError, match="Blockhash not found"):
        lagging.answer("sendTransaction", [wire, config])
    with pytest.raises(RpcError, match="Minimum context slot has not been reached") as early:
        lagging.answer("sendTransaction", [wire, {**config, "minContextSlot": chain.slot}])
    assert (early.value.code, early.value.data) == (-32016, {"contextSlot": chain.slot - 100})
    assert first.answer(
        "sendTransaction", [wire, {**config, "maxRetries": 0, "minContextSlot": chain.slot}]
    )
    for wrong in (
        {"maxRetries": -1},
        {"maxRetries": "0"},
        {"skipPreflight": "yes"},
        {"encoding": "hex"},
    ):
        with pytest.raises(RpcError):
            first.answer("sendTransaction", [wire, {**config, **wrong}])


def test_a_node_that_lags_far_says_that_it_is_not_well(world: World) -> None:
    world.tick(300)
    chain = Chain(world)
    assert msgspec.json.decode(LiveNode(chain, behind=100).answer("getHealth", [])) == "ok"
    unwell = LiveNode(chain, behind=200)
    wire = pybase64.b64encode(
        bytes(world.sign([Instruction(MEMO_PROGRAM, b"x", ())], "ann"))
    ).decode()
    for method, given in (("getHealth", []), ("sendTransaction", [wire, {"encoding": "base64"}])):
        with pytest.raises(RpcError, match="behind by 200 slots") as refused:
            unwell.answer(method, given)
        assert (refused.value.code, refused.value.data) == (-32005, {"numSlotsBehind": 200})


def test_a_simulation_shows_what_is_asked_of_it(world: World) -> None:
    handle = next(iter(world.grants.values()))
    proof = world.worker.issue(handle.address, world.address("cat"))
    signed = world.sign(world.claim_calls(handle, proof, "cat"), "cat")
    unsigned = VersionedTransaction.populate(signed.message, [Signature.default()])
    wire = lambda transaction: pybase64.b64encode(bytes(transaction)).decode()  # noqa: E731
    base = {"encoding": "base64", "commitment": "processed"}
    after = {"encoding": "base64", "addresses": [handle.state, world.address("nobody")]}
    wanted = {**base, "sigVerify": True, "accounts": after, "innerInstructions": True}
    full = ask(world, "simulateTransaction", wire(signed), wanted)["value"]
    assert (full["err"], full["accounts"][1], "replacementBlockhash" in full) == (None, None, False)
    landed = world.land(signed)
    assert full["innerInstructions"] == landed.result["meta"]["innerInstructions"]
    assert full["logs"] == landed.result["meta"]["logMessages"]
    assert full["accounts"][0] == ask(world, "getAccountInfo", handle.state, base)["value"]
    world.tick(200)
    replaced = ask(
        world, "simulateTransaction", wire(unsigned), {**base, "replaceRecentBlockhash": True}
    )["value"]
    assert replaced["err"] == {"InstructionError": [0, "IllegalOwner"]}, (
        "executed: the token account is there by now"
    )
    assert (
        ask(world, "isBlockhashValid", replaced["replacementBlockhash"]["blockhash"], base)["value"]
        is True
    )
    for config in (
        {"sigVerify": True, "replaceRecentBlockhash": True},
        {"accounts": {**after, "encoding": "base58"}},
        {"sigVerify": True},
    ):
        with pytest.raises(RpcError):
            ask(world, "simulateTransaction", wire(unsigned), {**base, **config})
