"""The node's calls on recorded cases, without a network: what is answered, and what is refused in
which words.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from popkit.evidence.bundle import Evidence
from popkit.protocol.genesis import CLUSTERS, genesis_hash
from popkit.protocol.keys import b58encode
from popkit.serving.params import RpcError
from popkit.serving.replay import METHODS, Replay
from tests.conftest import CASES, NAMES, Copy

UNKNOWN_KEY = "4uQeVj5tqViQh7yWWGStvkEG1Zmhx6uasJtWCJziofM"
UNKNOWN_SIGNATURE = b58encode(bytes(range(64)))


@pytest.fixture(scope="module")
def cutover() -> Replay:
    return Replay(CASES / "cutover")


def ask(replay: Replay, method: str, *given: Any) -> Any:
    return json.loads(bytes(replay.answer(method, list(given))))


def refused(replay: Replay, method: str, *given: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        replay.answer(method, list(given))
    return caught.value


def rows_of(name: str, file: str) -> list[dict[str, Any]]:
    return [json.loads(text) for _, text in Evidence(CASES / name).lines_of(f"rpc/{file}.jsonl")]


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_answer_is_given_byte_for_byte(name: str) -> None:
    evidence, replay = Evidence(CASES / name), Replay(CASES / name)
    for _, text in evidence.lines_of("rpc/transactions.jsonl"):
        row = json.loads(text)
        if row["result"] is not None:
            config = {"encoding": "base64", "maxSupportedTransactionVersion": 0}
            assert bytes(replay.answer("getTransaction", [row["signature"], config])) in text
    for _, text in evidence.lines_of("rpc/accounts.jsonl"):
        row = json.loads(text)
        value = bytes(replay.answer("getAccountInfo", [row["pubkey"], {"encoding": "base64"}]))
        assert value == b'{"context":{"slot":%d},"value":%s}' % (
            replay.slot,
            text.split(b'"account":', 1)[1][:-1],
        )
    lists: dict[str, list[dict[str, Any]]] = {}
    for row in rows_of(name, "signatures"):
        lists.setdefault(row.pop("address"), []).append(row)
    for address, rows in lists.items():
        assert ask(replay, "getSignaturesForAddress", address) == rows


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
def test_pages_of_a_list_join_without_loss(cutover: Replay, limit: int) -> None:
    for address in cutover.ledger.lists:
        whole, paged, before = ask(cutover, "getSignaturesForAddress", address), [], None
        while page := ask(
            cutover, "getSignaturesForAddress", address, {"limit": limit, "before": before}
        ):
            assert len(page) <= limit
            paged += page
            before = page[-1]["signature"]
        assert paged == whole


def test_a_list_stops_at_until_and_starts_at_before(cutover: Replay) -> None:
    grant = cutover.header.grants[0]
    whole = [row["signature"] for row in ask(cutover, "getSignaturesForAddress", grant)]
    part = ask(cutover, "getSignaturesForAddress", grant, {"before": whole[1], "until": whole[5]})
    assert [row["signature"] for row in part] == whole[2:5]


def test_unknown_marks_are_taken_as_a_node_takes_them(cutover: Replay) -> None:
    grant = cutover.header.grants[0]
    assert ask(cutover, "getSignaturesForAddress", grant, {"before": UNKNOWN_SIGNATURE}) == []
    whole = ask(cutover, "getSignaturesForAddress", grant)
    assert ask(cutover, "getSignaturesForAddress", grant, {"until": UNKNOWN_SIGNATURE}) == whole


def test_a_mark_need_not_name_the_address(cutover: Replay) -> None:
    first, second = (
        ask(cutover, "getSignaturesForAddress", grant) for grant in cutover.header.grants
    )
    only = next(row for row in second if row not in first)
    older = ask(
        cutover, "getSignaturesForAddress", cutover.header.grants[0], {"before": only["signature"]}
    )
    newer = ask(
        cutover, "getSignaturesForAddress", cutover.header.grants[0], {"until": only["signature"]}
    )
    assert older == [row for row in first if row["slot"] <= only["slot"]]
    assert newer == [row for row in first if row["slot"] >= only["slot"]]


def test_an_address_without_a_list_is_found_in_the_transactions(
    copy_of: Callable[[str], Copy],
) -> None:
    copy = copy_of("relaxed-race")
    copy.drop("rpc/signatures.jsonl")
    copy.seal()
    derived, recorded = Replay(copy.path), Replay(CASES / "relaxed-race")
    for address, rows in recorded.ledger.lists.items():
        expected = [
            row
            for row in ask(recorded, "getSignaturesForAddress", address)
            if row["signature"] in recorded.ledger.transactions
        ]
        found = ask(derived, "getSignaturesForAddress", address)
        key = lambda row: (-row["slot"], row["signature"])  # noqa: E731
        assert sorted(found, key=key) == sorted(expected, key=key), rows
        assert [row["slot"] for row in found] == sorted(
            (row["slot"] for row in found), reverse=True
        )


def test_rows_out_of_order_are_listed_newest_first(copy_of: Callable[[str], Copy]) -> None:
    copy = copy_of("cutover")
    copy.change("rpc/signatures.jsonl", lambda rows: [*rows[::-1], *rows])
    copy.seal()
    for grant in Replay(copy.path).header.grants:
        slots = [row["slot"] for row in ask(Replay(copy.path), "getSignaturesForAddress", grant)]
        assert slots == sorted(slots, reverse=True)
        assert len(slots) == len(ask(Replay(CASES / "cutover"), "getSignaturesForAddress", grant))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "`params` should have at least 1 argument(s)"),
        (["x"], "Invalid param: WrongSize"),
        (["0" * 32], "Invalid param: Invalid"),
        ([1], "Invalid params: invalid type: integer `1`, expected a string."),
        ([UNKNOWN_KEY, {"limit": 0}], "Invalid limit; max 1000"),
        ([UNKNOWN_KEY, {"limit": 1001}], "Invalid limit; max 1000"),
        ([UNKNOWN_KEY, {"limit": "5"}], 'Invalid params: invalid type: string "5", expected u64.'),
        (
            [UNKNOWN_KEY, {"limit": -1}],
            "Invalid params: invalid value: integer `-1`, expected u64.",
        ),
        (
            [UNKNOWN_KEY, {"limit": True}],
            "Invalid params: invalid type: boolean `true`, expected u64.",
        ),
        ([UNKNOWN_KEY, {"before": "x"}], "Invalid param: WrongSize"),
        (
            [UNKNOWN_KEY, {"commitment": "processed"}],
            "Method does not support commitment below `confirmed`",
        ),
        ([UNKNOWN_KEY, []], "Invalid params: invalid type: sequence, expected struct."),
        ([UNKNOWN_KEY, {}, 3], "Invalid parameters: Expected from 1 to 2 parameters."),
    ],
)
def test_a_list_asked_wrongly(cutover: Replay, given: list[Any], message: str) -> None:
    error = refused(cutover, "getSignaturesForAddress", *given)
    assert (error.code, error.message) == (-32602, message)


def test_a_node_that_has_not_reached_a_slot_says_where_it_is(cutover: Replay) -> None:
    for method, given in (
        ("getSlot", []),
        ("getAccountInfo", [UNKNOWN_KEY]),
        ("getSignaturesForAddress", [UNKNOWN_KEY]),
    ):
        error = refused(cutover, method, *given, {"minContextSlot": cutover.slot + 1})
        assert (error.code, error.data) == (-32016, {"contextSlot": cutover.slot})
    assert ask(cutover, "getSlot", {"minContextSlot": cutover.slot}) == cutover.slot


def version_0(replay: Replay) -> str:
    return next(
        row.signature for row in replay.ledger.transactions.values() if b'"version":0' in row.result
    )


def test_a_versioned_transaction_needs_the_version(cutover: Replay) -> None:
    replay = Replay(CASES / "term")
    error = refused(replay, "getTransaction", version_0(replay), {"encoding": "base64"})
    assert error.code == -32015
    assert '"maxSupportedTransactionVersion": 0' in error.message
    assert (
        ask(
            replay,
            "getTransaction",
            version_0(replay),
            {"encoding": "base64", "maxSupportedTransactionVersion": 0},
        )["version"]
        == 0
    )


def test_version_is_told_only_to_clients_that_know_of_it(cutover: Replay) -> None:
    signature = next(iter(cutover.ledger.transactions))
    assert "version" not in ask(cutover, "getTransaction", signature, "base64")
    assert (
        ask(cutover, "getTransaction", signature, {"maxSupportedTransactionVersion": 0})["version"]
        == "legacy"
    )


@pytest.mark.parametrize("name", ["term", "era-upgrade", "relaxed-race"])
def test_encodings_say_the_same(name: str) -> None:
    """The JSON encodings lead back to the recorded bytes, by way of an independent reader of each."""
    from solders.transaction_status import EncodedConfirmedTransactionWithStatusMeta

    replay = Replay(CASES / name)
    for signature in list(replay.ledger.transactions)[:60]:
        given = {
            encoding: ask(
                replay,
                "getTransaction",
                signature,
                {"encoding": encoding, "maxSupportedTransactionVersion": 0},
            )
            for encoding in ("base64", "base58", "binary", "json", "jsonParsed")
        }
        wire = base64.b64decode(given["base64"]["transaction"][0])
        assert given["base58"]["transaction"] == [b58encode(wire), "base58"]
        assert given["binary"]["transaction"] == b58encode(wire)
        assert given["json"]["meta"] == given["base64"]["meta"]
        for encoding in ("json", "jsonParsed"):
            read = EncodedConfirmedTransactionWithStatusMeta.from_json(json.dumps(given[encoding]))
            assert str(read.transaction.transaction.signatures[0]) == signature
        _same_bytes(wire, given["json"])
        _same_accounts(given["json"], given["jsonParsed"])


def _same_bytes(wire: bytes, result: dict[str, Any]) -> None:
    from popkit.protocol.transaction import decode_json, decode_wire

    assert decode_json(result["transaction"], result["meta"], result["version"]) == decode_wire(
        wire
    )


def _same_accounts(plain: dict[str, Any], parsed: dict[str, Any]) -> None:
    message, told = plain["transaction"]["message"], parsed["transaction"]["message"]
    assert [key["pubkey"] for key in told["accountKeys"]] == message["accountKeys"]
    signers = message["header"]["numRequiredSignatures"]
    assert [key["signer"] for key in told["accountKeys"]] == [
        at < signers for at in range(len(message["accountKeys"]))
    ]
    assert "loadedAddresses" not in parsed["meta"]
    for compiled, item in zip(message["instructions"], told["instructions"], strict=True):
        assert item["programId"] == message["accountKeys"][compiled["programIdIndex"]]
        if "parsed" not in item:
            assert item["data"] == compiled["data"]
            assert item["accounts"] == [message["accountKeys"][at] for at in compiled["accounts"]]


def test_known_programs_are_parsed(cutover: Replay) -> None:
    found = set()
    for signature in cutover.ledger.transactions:
        result = ask(
            cutover,
            "getTransaction",
            signature,
            {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0},
        )
        items = [
            item for group in result["meta"]["innerInstructions"] for item in group["instructions"]
        ]
        for item in items + result["transaction"]["message"]["instructions"]:
            if "parsed" in item:
                found.add((item["program"], item["parsed"]["type"]))
    assert found >= {
        ("system", "createAccount"),
        ("spl-token", "transferChecked"),
        ("spl-token", "initializeAccount3"),
        ("spl-associated-token-account", "create"),
    }


def test_loaded_addresses_stand_among_the_accounts(copy_of: Callable[[str], Copy]) -> None:
    from solders.address_lookup_table_account import AddressLookupTableAccount
    from solders.hash import Hash
    from solders.instruction import AccountMeta, Instruction
    from solders.keypair import Keypair
    from solders.message import MessageV0
    from solders.pubkey import Pubkey
    from solders.transaction import VersionedTransaction

    payer, loaded, table = (
        Keypair(),
        [Pubkey.new_unique(), Pubkey.new_unique()],
        Pubkey.new_unique(),
    )
    call = Instruction(
        Pubkey.new_unique(),
        b"\x01",
        [AccountMeta(loaded[0], False, True), AccountMeta(loaded[1], False, False)],
    )
    message = MessageV0.try_compile(
        payer.pubkey(), [call], [AddressLookupTableAccount(table, loaded)], Hash.default()
    )
    tx = VersionedTransaction(message, [payer])
    addresses = {"writable": [str(loaded[0])], "readonly": [str(loaded[1])]}
    result = {
        "slot": 5,
        "blockTime": 7,
        "transaction": [base64.b64encode(bytes(tx)).decode(), "base64"],
        "meta": {"err": None, "fee": 1, "innerInstructions": [], "loadedAddresses": addresses},
        "version": 0,
    }
    copy = copy_of("cutover")
    copy.change(
        "rpc/transactions.jsonl",
        lambda rows: [*rows, {"signature": str(tx.signatures[0]), "result": result}],
    )
    copy.seal()
    replay = Replay(copy.path)
    assert [row["signature"] for row in ask(replay, "getSignaturesForAddress", str(loaded[1]))] == [
        str(tx.signatures[0])
    ]
    parsed = ask(
        replay,
        "getTransaction",
        str(tx.signatures[0]),
        {"encoding": "jsonParsed", "maxSupportedTransactionVersion": 0},
    )
    assert parsed["transaction"]["message"]["accountKeys"][-2:] == [
        {"pubkey": str(loaded[0]), "signer": False, "source": "lookupTable", "writable": True},
        {"pubkey": str(loaded[1]), "signer": False, "source": "lookupTable", "writable": False},
    ]
    assert parsed["transaction"]["message"]["addressTableLookups"][0]["accountKey"] == str(table)
    assert parsed["transaction"]["message"]["instructions"][0]["accounts"] == [
        str(key) for key in loaded
    ]


def test_a_transaction_recorded_as_json_is_given_in_bytes_too(
    copy_of: Callable[[str], Copy],
) -> None:
    recorded = Replay(CASES / "cutover")

    def as_json(encoding: str) -> Callable[[list[Any]], list[Any]]:
        config = {"encoding": encoding, "maxSupportedTransactionVersion": 0}
        return lambda rows: [
            {**row, "result": ask(recorded, "getTransaction", row["signature"], config)}
            for row in rows
        ]

    plain, parsed = copy_of("cutover"), copy_of("cutover")
    plain.change("rpc/transactions.jsonl", as_json("json"))
    parsed.change("rpc/transactions.jsonl", as_json("jsonParsed"))
    from_json, from_parsed = Replay(plain.seal().path), Replay(parsed.seal().path)
    for signature in recorded.ledger.transactions:
        wanted = ask(recorded, "getTransaction", signature, {"encoding": "base64"})
        assert ask(from_json, "getTransaction", signature, {"encoding": "base64"}) == wanted
        error = refused(from_parsed, "getTransaction", signature, {"encoding": "base64"})
        assert error.code == -32603
        assert "jsonParsed" in error.message
        wanted = ask(recorded, "getTransaction", signature, "jsonParsed")
        assert ask(from_parsed, "getTransaction", signature, "jsonParsed") == wanted
        assert ask(from_json, "getTransaction", signature, "jsonParsed") == wanted


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["x"], "Invalid param: WrongSize"),
        ([UNKNOWN_KEY], "Invalid param: WrongSize"),
        (["l" * 88], "Invalid param: Invalid"),
        ([UNKNOWN_SIGNATURE, "zip"], "unknown variant `zip`"),
        ([UNKNOWN_SIGNATURE, {"encoding": "base64+zstd"}], "unknown variant `base64+zstd`"),
        ([UNKNOWN_SIGNATURE, {"commitment": "processed"}], "below `confirmed`"),
        ([UNKNOWN_SIGNATURE, {"commitment": "soon"}], "unknown variant `soon`"),
        ([UNKNOWN_SIGNATURE, {"maxSupportedTransactionVersion": "0"}], "expected u64"),
    ],
)
def test_a_transaction_asked_wrongly(cutover: Replay, given: list[Any], message: str) -> None:
    error = refused(cutover, "getTransaction", *given)
    assert error.code == -32602
    assert message in error.message


def test_what_was_not_collected_is_null_and_noted_once(copy_of: Callable[[str], Copy]) -> None:
    copy = copy_of("cutover")
    copy.change("rpc/transactions.jsonl", lambda rows: [{**rows[0], "result": None}, *rows[2:]])
    rows = copy_of("cutover").rows("rpc/transactions.jsonl")
    answered_null, missing = rows[0]["signature"], rows[1]["signature"]
    noted: list[str] = []
    replay = Replay(copy.seal().path, note=noted.append)
    for _ in range(2):
        assert ask(replay, "getTransaction", UNKNOWN_SIGNATURE) is None
        assert ask(replay, "getTransaction", answered_null) is None
        assert noted == []  # a node said so, or nobody ever listed it
        assert replay.not_collected == {}
    for _ in range(2):
        assert ask(replay, "getTransaction", missing) is None
        assert ask(replay, "getAccountInfo", UNKNOWN_KEY)["value"] is None
        assert ask(replay, "getSignaturesForAddress", UNKNOWN_KEY) == []
        assert ask(replay, "getProgramAccounts", UNKNOWN_KEY) == []
        assert [UNKNOWN_KEY in text for text in noted] == [False, True, True, True]
    strict = Replay(copy.path, strict=True)
    for method, name in (
        ("getTransaction", missing),
        ("getAccountInfo", UNKNOWN_KEY),
        ("getSignaturesForAddress", UNKNOWN_KEY),
    ):
        error = refused(strict, method, name)
        assert error.code == -32603
        assert name in error.message
    assert refused(strict, "getMultipleAccounts", [UNKNOWN_KEY]).code == -32603
    assert refused(strict, "getProgramAccounts", UNKNOWN_KEY).code == -32603
    assert ask(strict, "getTransaction", answered_null) is None


def test_strict_answers_everything_that_was_collected() -> None:
    replay = Replay(CASES / "cutover", strict=True)
    for key in replay.ledger.accounts:
        ask(replay, "getAccountInfo", key, {"encoding": "base64"})
        ask(replay, "getSignaturesForAddress", key)
    for grant in replay.header.grants:
        ask(replay, "getSignaturesForAddress", grant)
    for signature in replay.ledger.transactions:
        ask(
            replay,
            "getTransaction",
            signature,
            {"encoding": "base64", "maxSupportedTransactionVersion": 0},
        )
    ask(replay, "getProgramAccounts", replay.header.program_id, {"encoding": "base64"})


def test_accounts_in_every_encoding(cutover: Replay) -> None:
    recorded = {row["pubkey"]: row["account"] for row in rows_of("cutover", "accounts")}
    for key, account in recorded.items():
        data = base64.b64decode(account["data"][0]) if account else None
        for encoding in ("base64", "base64+zstd", "jsonParsed"):
            value = ask(cutover, "getAccountInfo", key, {"encoding": encoding})["value"]
            assert (value is None) == (account is None)
            if value is not None:
                text, named = value["data"]
                read = base64.b64decode(text)
                assert (zstandard.decompress(read) if named == "base64+zstd" else read) == data
                assert {**value, "data": None} == {**account, "data": None}
    missing = next(key for key, account in recorded.items() if account is None)
    assert ask(cutover, "getMultipleAccounts", [missing, missing])["value"] == [None, None]


def test_base58_holds_no_more_than_128_bytes(cutover: Replay) -> None:
    sizes = {
        row["pubkey"]: row["account"]["space"]
        for row in rows_of("cutover", "accounts")
        if row["account"]
    }
    small = next(key for key, size in sizes.items() if size <= 128)
    large = next(key for key, size in sizes.items() if size > 128)
    assert (
        ask(cutover, "getAccountInfo", small, {"encoding": "base58"})["value"]["data"][1]
        == "base58"
    )
    assert isinstance(ask(cutover, "getAccountInfo", small)["value"]["data"], str)
    for config in ({"encoding": "base58"}, {}):
        error = refused(cutover, "getAccountInfo", large, config)
        expected = "Encoded binary (base 58) data should be less than 128 bytes, please use Base64 encoding."
        assert (error.code, error.message) == (-32600, expected)
    part = ask(
        cutover,
        "getAccountInfo",
        large,
        {"encoding": "base58", "dataSlice": {"offset": 8, "length": 32}},
    )["value"]
    assert (len(part["data"][0]) > 40, part["space"]) == (True, sizes[large])


def test_a_slice_of_the_data(cutover: Replay) -> None:
    row = next(row for row in rows_of("cutover", "accounts") if row["account"])
    data = base64.b64decode(row["account"]["data"][0])
    for offset, length in ((0, 8), (8, 32), (len(data) - 1, 9), (len(data) + 5, 1), (0, 0)):
        config = {"encoding": "base64", "dataSlice": {"offset": offset, "length": length}}
        value = ask(cutover, "getMultipleAccounts", [row["pubkey"]], config)["value"][0]
        assert base64.b64decode(value["data"][0]) == data[offset : offset + length]
        assert value["space"] == len(data)
    assert (
        refused(cutover, "getAccountInfo", row["pubkey"], {"dataSlice": {"offset": 1}}).code
        == -32602
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[UNKNOWN_KEY] * 101], "Too many inputs provided; max 100"),
        (["x"], "expected a sequence"),
        ([["x"]], "Invalid param: WrongSize"),
        ([[UNKNOWN_KEY], {"encoding": "json"}], "unknown variant `json`"),
        ([[UNKNOWN_KEY], {"dataSlice": 3}], "expected struct UiDataSliceConfig"),
    ],
)
def test_accounts_asked_wrongly(cutover: Replay, given: list[Any], message: str) -> None:
    error = refused(cutover, "getMultipleAccounts", *given)
    assert error.code == -32602
    assert message in error.message


def test_program_accounts_and_their_filters(cutover: Replay) -> None:
    program = cutover.header.program_id
    rows = [
        row
        for row in rows_of("cutover", "accounts")
        if row["account"] and row["account"]["owner"] == program
    ]
    given = ask(cutover, "getProgramAccounts", program, {"encoding": "base64"})
    assert sorted(item["pubkey"] for item in given) == sorted(row["pubkey"] for row in rows)
    assert {item["pubkey"]: item["account"] for item in given} == {
        row["pubkey"]: row["account"] for row in rows
    }
    data = {row["pubkey"]: base64.b64decode(row["account"]["data"][0]) for row in rows}
    config = next(key for key, part in data.items() if len(part) == 73)
    authority = data[config][8:40]
    for compared in (
        {"offset": 8, "bytes": b58encode(authority)},
        {"offset": 8, "bytes": base64.b64encode(authority).decode(), "encoding": "base64"},
        {"offset": 8, "bytes": list(authority)},
    ):
        wanted = {"encoding": "base64", "filters": [{"dataSize": 73}, {"memcmp": compared}]}
        assert [item["pubkey"] for item in ask(cutover, "getProgramAccounts", program, wanted)] == [
            config
        ]
    past_the_end = {"filters": [{"memcmp": {"offset": 10_000, "bytes": ""}}]}
    assert ask(cutover, "getProgramAccounts", program, past_the_end) == []
    told = ask(
        cutover,
        "getProgramAccounts",
        program,
        {"withContext": True, "encoding": "base64", "dataSlice": {"offset": 0, "length": 8}},
    )
    assert told["context"] == {"slot": cutover.slot}
    assert {len(base64.b64decode(item["account"]["data"][0])) for item in told["value"]} == {8}


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([{"dataSize": 1}] * 5, "Too many filters provided; max 4"),
        ([{"memcmp": {"bytes": "1"}}], "missing field `offset`"),
        ([{"memcmp": {"offset": 0}}], "missing field `bytes`"),
        ([{"memcmp": {"offset": 0, "bytes": "0"}}], "Invalid param"),
        ([{"memcmp": {"offset": 0, "bytes": "%", "encoding": "base64"}}], "Invalid param"),
        ([{"memcmp": {"offset": 0, "bytes": [256]}}], "Invalid param"),
        ([{"memcmp": {"offset": 0, "bytes": [0] * 129}}], "DataTooLarge"),
        ([{"memcmp": {"offset": 0, "bytes": "1" * 300}}], "DataTooLarge"),
        ([{"memcmp": {"offset": 0, "bytes": "1", "encoding": "hex"}}], "unknown variant `hex`"),
        ([{"dataSize": "73"}], "expected u64"),
        ([{"other": 1}], "unknown variant `other`"),
        (["dataSize"], "expected map"),
        ({}, "expected a sequence"),
    ],
)
def test_filters_asked_wrongly(cutover: Replay, filters: Any, message: str) -> None:
    error = refused(cutover, "getProgramAccounts", cutover.header.program_id, {"filters": filters})
    assert error.code == -32602
    assert message in error.message


def test_the_node_stands_still_at_the_collection(cutover: Replay) -> None:
    slots = {row["slot"] for row in rows_of("cutover", "accounts")}
    assert {ask(cutover, "getSlot")} == slots
    assert ask(cutover, "getBlockTime", cutover.slot) == cutover.header.collected_at
    for row in cutover.ledger.transactions.values():
        assert ask(cutover, "getBlockTime", row.slot) == row.block_time
    error = refused(cutover, "getBlockTime", 1)
    assert (error.code, error.message) == (
        -32009,
        "Slot 1 was skipped, or missing in long-term storage",
    )
    assert refused(cutover, "getBlockTime", cutover.slot + 1).code == -32004
    for given in (["1"], [None], [-1], []):
        assert refused(cutover, "getBlockTime", *given).code == -32602


def test_without_accounts_the_node_stands_at_the_newest_slot_known(
    copy_of: Callable[[str], Copy],
) -> None:
    copy = copy_of("cutover")
    copy.drop("rpc/accounts.jsonl")
    replay = Replay(copy.seal().path)
    newest = max(row.slot for row in replay.ledger.transactions.values())
    assert replay.slot == newest
    assert ask(replay, "getBlockTime", newest) == next(
        r.block_time for r in replay.ledger.transactions.values() if r.slot == newest
    )
    copy.drop("rpc/transactions.jsonl")
    copy.drop("rpc/signatures.jsonl")
    assert Replay(copy.seal().path).slot == 0


def test_statuses(cutover: Replay) -> None:
    signatures = [*list(cutover.ledger.transactions)[:3], UNKNOWN_SIGNATURE]
    told = ask(cutover, "getSignatureStatuses", signatures, {"searchTransactionHistory": True})
    for signature, status in zip(signatures[:3], told["value"], strict=False):
        landed = cutover.ledger.transactions[signature]
        err = json.loads(landed.err)
        assert status == {
            "slot": landed.slot,
            "confirmations": None,
            "err": err,
            "status": {"Ok": None} if err is None else {"Err": err},
            "confirmationStatus": "finalized",
        }
    assert told["value"][3] is None
    assert (
        ask(cutover, "getSignatureStatuses", signatures)["value"] == [None] * 4
    )  # long ago: only history knows
    assert refused(cutover, "getSignatureStatuses", [UNKNOWN_SIGNATURE] * 257).code == -32602
    assert refused(cutover, "getSignatureStatuses", UNKNOWN_SIGNATURE).code == -32602


def test_clusters_are_told_by_their_genesis_hash(copy_of: Callable[[str], Copy]) -> None:
    copy = copy_of("unused")
    header = json.loads((copy.path / "case.json").read_text())
    hashes = {}
    for cluster in (*CLUSTERS, "localnet", "other"):
        (copy.path / "case.json").write_text(json.dumps({**header, "cluster": cluster}))
        hashes[cluster] = ask(Replay(copy.seal().path), "getGenesisHash")
    assert {name: hashes[name] for name in CLUSTERS} == CLUSTERS
    assert len(set(hashes.values())) == len(hashes)
    assert (
        hashes["localnet"]
        == genesis_hash("localnet")
        == "FJEzUqpGNjkkwogHHMawSwHjBxoQRTHznighKWRA48NU"
    )


def test_the_simple_calls(cutover: Replay) -> None:
    assert ask(cutover, "getHealth") == "ok"
    assert ask(cutover, "getVersion")["solana-core"].startswith("popkit-serve-")
    for method in ("getHealth", "getVersion", "getGenesisHash"):
        assert refused(cutover, method, 1).code == -32602
    assert refused(cutover, "sendTransaction", "x").code == -32601
    for method in METHODS:
        with pytest.raises(RpcError) as caught:
            cutover.answer(method, {"named": 1})
        assert caught.value.code == -32602


def test_damaged_lines_are_noted_and_the_rest_is_served(copy_of: Callable[[str], Copy]) -> None:
    copy = copy_of("cutover")
    deep = '{"signature":"x","result":' + "[" * 50_000 + "]" * 50_000 + "}"
    for file in ("transactions", "signatures", "accounts"):
        copy.change(f"rpc/{file}.jsonl", lambda rows: ["{", "[]", '{"signature":"x"}', deep, *rows])
    replay = Replay(copy.seal().path)
    assert len(replay.ledger.problems) >= 9
    assert replay.ledger.transactions.keys() == Replay(CASES / "cutover").ledger.transactions.keys()
