"""Independent clients against a living drill: they send, simulate, are refused and wait as against
a node.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.models import TxOpts
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.message import Message
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction

from popkit.drill import addresses
from popkit.drill.live import Addresses, Drill
from popkit.drill.rehearsal import background
from popkit.drill.runtime import Instruction as Call
from popkit.drill.world import World, sound
from popkit.protocol.keys import PROGRAM_ID
from tests.serving.javascript import installed_modules, run_node

TOKEN = "the drill's own"


@pytest.fixture
def drill() -> Iterator[tuple[Drill, Addresses]]:
    world, _, _ = sound("strict", "A", "ann", "bob")
    world.live(50)
    held = Drill(world, TOKEN)
    with background(held) as listening:
        yield held, listening


def signed(world: World, calls: list[Call], wallet: str, blockhash: Any) -> VersionedTransaction:
    items = [
        Instruction(
            Pubkey.from_string(c.program),
            c.data,
            [AccountMeta(Pubkey.from_string(m[0]), m[1], m[2]) for m in c.metas],
        )
        for c in calls
    ]
    key = world.key(wallet)
    return VersionedTransaction(Message.new_with_blockhash(items, key.pubkey(), blockhash), [key])


def test_solana_py_sends_a_claim_and_is_refused_the_second(drill: tuple[Drill, Addresses]) -> None:
    held, listening = drill
    world, handle = held.world, next(iter(held.world.grants.values()))

    async def use() -> None:
        async with (
            AsyncClient(listening.rpc, Confirmed) as client,
            AsyncClient(listening.second_rpc) as second,
        ):
            assert (await client.get_genesis_hash()).value == (
                await second.get_genesis_hash()
            ).value
            key = world.key("cat").pubkey()
            await client.request_airdrop(key, 2_000_000_000)
            assert (await client.get_balance(key)).value in (0, 2_000_000_000)
            proof = world.worker.issue(handle.address, str(key))
            calls = world.claim_calls(handle, proof, "cat")
            latest = (await client.get_latest_blockhash()).value
            transaction = signed(world, calls, "cat", latest.blockhash)
            for _ in range(40):  # until the airdrop is confirmed
                tried = (await client.simulate_transaction(transaction, sig_verify=True)).value
                if tried.err is None:
                    break
                await asyncio.sleep(0.05)
            assert tried.err is None, tried
            sent = (
                await client.send_raw_transaction(
                    bytes(transaction), TxOpts(preflight_commitment=Confirmed)
                )
            ).value
            assert sent == transaction.signatures[0]
            done = await client.confirm_transaction(
                sent, Confirmed, last_valid_block_height=latest.last_valid_block_height
            )
            assert done.value[0] is not None
            assert done.value[0].err is None
            with pytest.raises(RPCException, match="already been processed"):
                await client.send_raw_transaction(bytes(transaction))
            again = signed(
                world,
                world.claim_calls(handle, proof, "cat"),
                "cat",
                (await client.get_latest_blockhash()).value.blockhash,
            )
            with pytest.raises(RPCException, match="custom program error: 0x0"):
                await client.send_raw_transaction(bytes(again))
            wrong = VersionedTransaction.populate(
                again.message, [world.key("dan").sign_message(b"another message")]
            )
            with pytest.raises(RPCException, match="SignatureVerificationFailure"):
                await client.send_raw_transaction(bytes(wrong))
            assert (
                await client.get_epoch_info()
            ).value.absolute_slot >= latest.last_valid_block_height
            assert (await client.get_minimum_balance_for_rent_exemption(88)).value == 1_503_360

    asyncio.run(use())


def test_an_expired_blockhash_is_refused_and_its_transaction_never_lands(
    drill: tuple[Drill, Addresses],
) -> None:
    held, listening = drill
    world, handle = held.world, next(iter(held.world.grants.values()))
    world.ledger.fund(world.address("cat"), 2_000_000_000)

    async def use() -> None:
        async with AsyncClient(listening.rpc, Confirmed) as client:
            proof = world.worker.issue(handle.address, world.address("cat"))
            blockhash = (await client.get_latest_blockhash()).value.blockhash
            transaction = signed(world, world.claim_calls(handle, proof, "cat"), "cat", blockhash)
            held.clock.skip(200)
            with pytest.raises(RPCException, match="Blockhash not found"):
                await client.send_raw_transaction(bytes(transaction))
            sent = (
                await client.send_raw_transaction(bytes(transaction), TxOpts(skip_preflight=True))
            ).value
            assert (
                await client.get_signature_statuses([sent], search_transaction_history=True)
            ).value == [None]
            assert (await client.simulate_transaction(transaction)).value.err is not None
            assert (
                await client.simulate_transaction(transaction, replace_recent_blockhash=True)
            ).value.err is None

    asyncio.run(use())


def test_web3_js_builds_sends_and_confirms_a_claim(
    drill: tuple[Drill, Addresses], pytestconfig: pytest.Config
) -> None:
    held, listening = drill
    world, handle = held.world, next(iter(held.world.grants.values()))
    visitor = Keypair.from_seed(b"a visitor with web3.js as wallet")
    claimer = str(visitor.pubkey())
    proof = world.worker.issue(handle.address, claimer)
    token_account = addresses.associated_token_address(claimer, handle.mint)
    create, claim = _calls(world, handle, claimer)
    given = {
        "url": listening.rpc,
        "secret": base64.b64encode(bytes(visitor)).decode(),
        "proof": {
            "key": base64.b64encode(bytes(Pubkey.from_string(proof.signer))).decode(),
            "signature": base64.b64encode(proof.signature).decode(),
            "message": base64.b64encode(proof.message).decode(),
        },
        "before": [_shown(create)],
        "claim": _shown(claim),
        "account": token_account,
    }
    script = Path(__file__).parent / "js" / "claim.cjs"
    done = run_node(str(script), installed_modules(pytestconfig), json.dumps(given).encode())
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    assert found["status"]["err"] is None
    assert found["status"]["confirmationStatus"] in ("confirmed", "finalized")
    assert found["refusal"]["name"] == "SendTransactionError"
    assert "custom program error: 0x0" in found["refusal"]["message"]
    assert any("already in use" in line for line in found["refusal"]["logs"])
    assert (found["fee"], found["balance"]["amount"]) == (10_000, "1"), (
        "the proof's signature costs as well"
    )
    assert found["signature"] in found["listed"]
    assert world.head(handle) == proof.entry


def _calls(world: World, handle: Any, claimer: str) -> tuple[Call, Call]:
    from popkit.drill.calls import grant_call
    from popkit.drill.token import create_associated

    where = {
        "grant": handle.address,
        "mint": handle.mint,
        "vault": handle.vault,
        "claimer": claimer,
        "claimer_ata": addresses.associated_token_address(claimer, handle.mint),
        "receipt": addresses.receipt_address(handle.address, claimer, 0),
        "pop_state": handle.state,
        "pop_config": handle.config,
    }
    claim = grant_call("claim_grant", {"period_index": 0}, where)
    assert claim.program == PROGRAM_ID
    return create_associated(claimer, claimer, handle.mint), claim


def _shown(call: Call) -> dict[str, Any]:
    return {
        "program": call.program,
        "data": base64.b64encode(call.data).decode(),
        "keys": [list(meta) for meta in call.metas],
    }


def test_a_subscription_is_notified_once_of_a_success_and_of_a_failure(
    drill: tuple[Drill, Addresses],
) -> None:
    held, listening = drill
    world, handle = held.world, next(iter(held.world.grants.values()))

    async def use() -> list[Any]:
        found = []
        async with aiohttp.ClientSession() as session, session.ws_connect(listening.rpc) as socket:
            proof = world.worker.issue(handle.address, world.address("cat"))
            for number, wallet in enumerate(("cat", "cat"), 1):
                transaction = world.sign(world.claim_calls(handle, proof, wallet), wallet)
                given = [str(transaction.signatures[0]), {"commitment": "confirmed"}]
                await socket.send_json(
                    {
                        "jsonrpc": "2.0",
                        "id": number,
                        "method": "signatureSubscribe",
                        "params": given,
                    }
                )
                assert (await socket.receive_json())["id"] == number
                world.land(transaction)
                notified = await socket.receive_json(timeout=10)
                assert notified["method"] == "signatureNotification"
                found.append(notified["params"]["result"]["value"]["err"])
            await socket.send_json(
                {"jsonrpc": "2.0", "id": 9, "method": "nothingSubscribe", "params": []}
            )
            assert (await socket.receive_json())["error"]["code"] == -32601
        return found

    assert asyncio.run(use()) == [None, {"InstructionError": [1, {"Custom": 0}]}]
