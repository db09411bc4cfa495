"""solana-py, an independent client, reads every served case and sees what popkit sees."""

from __future__ import annotations

import asyncio
import json

import pytest
from solana.rpc.async_api import AsyncClient
from solders.pubkey import Pubkey
from solders.signature import Signature

from popkit.evidence.bundle import Evidence
from tests.conftest import CASES, NAMES
from tests.serving.claims_seen import Claim, claims_in, recorded


async def claims_seen(client: AsyncClient, grants: tuple[str, ...], page: int) -> list[Claim]:
    """The claims of some grants, found as a client finds them: lists in pages, then each
    transaction.
    """
    listed: dict[str, None] = {}
    for grant in grants:
        before = None
        while rows := (
            await client.get_signatures_for_address(
                Pubkey.from_string(grant), before=before, limit=page
            )
        ).value:
            slots = [row.slot for row in rows]
            assert slots == sorted(slots, reverse=True)
            listed.update(dict.fromkeys(str(row.signature) for row in rows))
            before = rows[-1].signature
    found: list[Claim] = []
    for signature in listed:
        answer = await client.get_transaction(
            Signature.from_string(signature), encoding="base64", max_supported_transaction_version=0
        )
        if answer.value is not None:
            found += _claims(answer.value)
    return sorted(found, key=lambda claim: (claim.slot, claim.signature))


def _claims(value: object) -> list[Claim]:
    tx, meta = value.transaction.transaction, value.transaction.meta
    loaded = meta.loaded_addresses
    keys = [*tx.message.account_keys, *(loaded.writable + loaded.readonly if loaded else ())]
    names = [str(key) for key in keys]
    instructions = [
        (names[item.program_id_index], [names[at] for at in item.accounts], bytes(item.data))
        for item in tx.message.instructions
    ]
    return claims_in(str(tx.signatures[0]), value.slot, value.block_time, meta.err, instructions)


@pytest.mark.parametrize("name", NAMES)
def test_solana_py_sees_the_claims_that_popkit_sees(name: str, urls: dict[str, str]) -> None:
    evidence = Evidence(CASES / name)

    async def read() -> list[Claim]:
        async with AsyncClient(urls[name]) as client:
            assert await client.is_connected()
            return await claims_seen(client, evidence.header.grants, page=7)

    assert asyncio.run(read()) == recorded(name)


def test_solana_py_reads_every_account_and_encoding(urls: dict[str, str]) -> None:
    evidence = Evidence(CASES / "cutover")
    assert evidence.accounts is not None
    assert evidence.transactions is not None
    keys = [Pubkey.from_string(key) for key in evidence.accounts]

    async def read() -> None:
        async with AsyncClient(urls["cutover"]) as client:
            slot = (await client.get_slot()).value
            assert (await client.get_block_time(slot)).value == evidence.header.collected_at
            await client.get_genesis_hash()
            await client.get_version()
            for encoding in ("base64", "base64+zstd"):
                several = await client.get_multiple_accounts(keys, encoding=encoding)
                assert several.context.slot == slot
                assert [account and account.data for account in several.value] == [
                    row.data for row in evidence.accounts.values()
                ]
            for key, row in evidence.accounts.items():
                one = await client.get_account_info(Pubkey.from_string(key))
                assert (one.value and one.value.data) == row.data
                await client.get_account_info_json_parsed(Pubkey.from_string(key))
            program = Pubkey.from_string(evidence.header.program_id)
            given = await client.get_program_accounts(program, encoding="base64")
            own = {
                key: row.data
                for key, row in evidence.accounts.items()
                if row.owner == evidence.header.program_id
            }
            assert {str(row.pubkey): row.account.data for row in given.value} == own
            for signature in evidence.transactions.signature:
                for encoding in ("json", "jsonParsed", "base58"):
                    answer = await client.get_transaction(
                        Signature.from_string(signature),
                        encoding=encoding,
                        max_supported_transaction_version=0,
                    )
                    assert json.loads(answer.to_json())["result"]["slot"] == answer.value.slot
            statuses = await client.get_signature_statuses(
                [Signature.from_string(evidence.transactions.signature[0])], True
            )
            assert statuses.value[0] is not None

    asyncio.run(read())
