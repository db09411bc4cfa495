"""Cases made from the recordings by taking parts away or writing them another way, each with its
expected verdict and exit code.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import popkit as package
from popkit.evidence.bundle import Evidence
from popkit.protocol.keys import b58encode
from popkit.protocol.transaction import decode_wire
from tests.conftest import CASES, NAMES, Copy, answer_of, popkit

Make = Callable[[str], Copy]
LANDED_BREAKS = (
    "abandoned-proof",
    "genesis-abandoned",
    "expired-proof",
    "paused-midway",
    "signer-mismatch",
    "worker-head-reset",
)


def run(case: Copy) -> tuple[str, int]:
    """(verdict, exit code) through the command line."""
    case.seal()
    ran = popkit("diagnose", case.path, "--json", "-")
    return json.loads(ran.stdout)["verdict"], ran.returncode


@pytest.mark.parametrize("name", LANDED_BREAKS)
def test_refused_claims_alone_prove_a_break(name: str, copy_of: Make) -> None:
    case = copy_of(name)
    case.drop("worker")
    assert run(case) == ("broken", 1)


@pytest.mark.parametrize(
    "name", ["intact", "many-periods", "out-of-order", "unused", "strict-v2-intact", "pause-retry"]
)
def test_without_the_workers_records_soundness_cannot_be_told(name: str, copy_of: Make) -> None:
    case = copy_of(name)
    case.drop("worker")
    assert run(case) == ("inconclusive", 3)


def test_relaxed_rules_that_behaviour_shows_need_no_records(copy_of: Make) -> None:
    case = copy_of("relaxed-race")
    case.drop("worker")
    assert run(case) == ("intact", 0)
    assert not case.diagnose().coverage.complete


def test_wallets_reports_alone_prove_no_break_and_name_it(copy_of: Make) -> None:
    case = copy_of("abandoned-quiet")
    case.drop("worker")
    assert run(case) == ("inconclusive", 3)
    assert "wallets_report_break" in {finding.code for finding in case.diagnose().findings}


@pytest.mark.parametrize("name", ["abandoned-quiet", "quiet-tail"])
def test_a_quiet_break_without_worker_and_reports_cannot_be_told(name: str, copy_of: Make) -> None:
    case = copy_of(name)
    case.drop("worker")
    case.drop("client")
    assert run(case) == ("inconclusive", 3)


@pytest.mark.parametrize("name", [name for name in NAMES if (CASES / name / "client").is_dir()])
def test_the_client_part_is_not_needed_beside_the_workers(name: str, copy_of: Make) -> None:
    case = copy_of(name)
    case.drop("client")
    assert run(case) == (answer_of(name)["verdict"], answer_of(name)["exit_code"])


@pytest.mark.parametrize("name", ["intact", "abandoned-proof", "out-of-order", "worker-head-reset"])
def test_transactions_cut_at_every_point_never_make_a_wrong_answer(
    name: str, copy_of: Make
) -> None:
    case = copy_of(name)
    rows = sorted(case.rows("rpc/transactions.jsonl"), key=lambda row: row["result"]["slot"])
    whole = answer_of(name)["verdict"]
    seen = set()
    for count in range(len(rows)):
        case.write("rpc/transactions.jsonl", rows[:count])
        diagnosis = case.diagnose()
        claims_cut = any(
            row["result"]["meta"]["err"] is None and "ClaimGrant" in json.dumps(row)
            for row in rows[count:]
        )
        allowed = (
            {"broken"}
            if whole == "broken"
            else {"inconclusive"}
            if claims_cut
            else {whole, "inconclusive"}
        )
        assert diagnosis.verdict in allowed, count
        assert diagnosis.exit_code == {"broken": 1, "inconclusive": 3}.get(diagnosis.verdict, 0)
        assert not diagnosis.coverage.complete
        seen.add(diagnosis.verdict)
    assert seen >= ({"broken"} if whole == "broken" else {"inconclusive"})


def as_json(row: dict, parsed: bool) -> dict:  # type: ignore[type-arg]
    """A base64 row as the node gives it with encoding json or jsonParsed."""
    import base64

    result = row["result"]
    loaded = result["meta"].get("loadedAddresses") or {"writable": [], "readonly": []}
    tx = decode_wire(
        base64.b64decode(result["transaction"][0]),
        tuple(loaded["writable"]),
        tuple(loaded["readonly"]),
    )
    wire = base64.b64decode(result["transaction"][0])
    signatures = 1 + 64 * len(tx.signatures)
    versioned = wire[signatures] >= 0x80
    header = wire[signatures + versioned : signatures + versioned + 3]
    keys = tx.account_keys
    blockhash_at = signatures + versioned + 4 + 32 * tx.static_keys
    message = {
        "header": {
            "numRequiredSignatures": header[0],
            "numReadonlySignedAccounts": header[1],
            "numReadonlyUnsignedAccounts": header[2],
        },
        "accountKeys": list(keys[: tx.static_keys]),
        "recentBlockhash": b58encode(wire[blockhash_at : blockhash_at + 32]),
        "instructions": [
            {
                "programIdIndex": keys.index(ix.program),
                "accounts": [keys.index(account) for account in ix.accounts],
                "data": b58encode(ix.data or b""),
            }
            for ix in tx.instructions
        ],
    }
    if versioned:
        message["addressTableLookups"] = []
    if parsed:
        message["accountKeys"] = [
            {"pubkey": key, "signer": i < header[0], "writable": True, "source": "transaction"}
            for i, key in enumerate(keys)
        ]
        message["instructions"] = [
            parsed_form(ix.program, list(ix.accounts), b58encode(ix.data or b""))
            for ix in tx.instructions
        ]
        for group in result["meta"]["innerInstructions"] or []:
            for inner in group["instructions"]:
                shown = parsed_form(
                    keys[inner["programIdIndex"]],
                    [keys[i] for i in inner["accounts"]],
                    inner["data"],
                )
                inner.clear()
                inner.update(shown, stackHeight=2)
    return {
        **row,
        "result": {
            **result,
            "transaction": {"signatures": list(tx.signatures), "message": message},
        },
    }


PARSED_PROGRAMS = {
    "11111111111111111111111111111111": "system",
    "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA": "spl-token",
    "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL": "spl-associated-token-account",
}


def parsed_form(program: str, accounts: list[str], data: str) -> dict:  # type: ignore[type-arg]
    """An instruction as jsonParsed shows it: those of well-known programs parsed, without accounts
    and data.
    """
    if program in PARSED_PROGRAMS:
        return {
            "programId": program,
            "program": PARSED_PROGRAMS[program],
            "parsed": {"type": "create", "info": {}},
        }
    return {"programId": program, "accounts": accounts, "data": data}


@pytest.mark.parametrize(
    "name", ["abandoned-proof", "many-periods", "era-upgrade", "foreign-issuer"]
)
@pytest.mark.parametrize("parsed", [False, True], ids=["json", "jsonParsed"])
def test_json_encodings_give_the_same_findings(name: str, parsed: bool, copy_of: Make) -> None:
    case = copy_of(name)
    case.change("rpc/transactions.jsonl", lambda rows: [as_json(row, parsed) for row in rows])
    assert case.diagnose().dumps() == package.open_case(CASES / name).diagnose().dumps()


def test_json_keeps_the_transactions_signatures_checkable_and_jsonparsed_does_not(
    copy_of: Make,
) -> None:
    held = {}
    for parsed in (False, True):
        case = copy_of("intact")
        case.change(
            "rpc/transactions.jsonl",
            lambda rows, parsed=parsed: [as_json(row, parsed) for row in rows],
        )
        case.seal()
        held[parsed] = set(package.open_case(case.path).facts.claims.transaction_signatures_hold)
    assert held == {False: {True}, True: {None}}


def test_a_truncated_last_line_is_said_and_the_rest_judged(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    lines = case.lines("rpc/transactions.jsonl")
    text = "\n".join(lines)
    (case.path / "rpc/transactions.jsonl").write_text(text[: -len(lines[-1]) // 2])
    diagnosis = case.diagnose()
    assert (diagnosis.verdict, diagnosis.exit_code) == ("broken", 1)
    assert "rpc/transactions.jsonl: the last line is cut off" in {
        row.detail for row in diagnosis.coverage.not_checked
    }
    places = [
        str(p.place) for p in Evidence(case.path).read_all().problems if p.code == "truncated_line"
    ]
    assert places == [f"rpc/transactions.jsonl:{len(lines)}"]


def test_a_wrong_manifest_stops_the_work_and_names_the_file(copy_of: Make) -> None:
    case = copy_of("intact")
    (case.path / "rpc/accounts.jsonl").write_text(case.lines("rpc/accounts.jsonl")[0] + "\n")
    ran = popkit("diagnose", case.path, "--json", "-")
    assert ran.returncode == 3
    assert ran.stdout == b""
    assert b"rpc/accounts.jsonl" in ran.stderr


def test_packed_and_loose_buckets_are_one(copy_of: Make) -> None:
    case = copy_of("intact")
    loose = case.path / "worker" / "r2"
    rows = [
        {"key": file.relative_to(loose).as_posix(), "text": file.read_text()}
        for file in sorted(loose.rglob("*.json"))
    ]
    case.drop("worker/r2")
    case.write("worker/r2.jsonl", rows)
    assert case.diagnose().dumps() == package.open_case(CASES / "intact").diagnose().dumps()


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compression_changes_no_byte_of_the_findings(suffix: str, copy_of: Make) -> None:
    import gzip

    import zstandard

    case = copy_of("expired-proof")
    for file in list(case.path.rglob("*.jsonl")):
        data = file.read_bytes()
        packed = (
            gzip.compress(data) if suffix == ".gz" else zstandard.ZstdCompressor().compress(data)
        )
        file.with_name(file.name + suffix).write_bytes(packed)
        file.unlink()
    assert case.diagnose().dumps() == package.open_case(CASES / "expired-proof").diagnose().dumps()


def test_accounts_missing_leaves_the_end_of_the_links_as_head(copy_of: Make) -> None:
    broken = copy_of("abandoned-proof")
    broken.drop("rpc/accounts.jsonl")
    assert run(broken) == ("inconclusive", 3), (
        "the newest row of the list landed before the worker's proofs could land no more"
    )
    sound = copy_of("intact")
    sound.drop("rpc/accounts.jsonl")
    assert run(sound) == ("intact", 0)
    assert ("accounts", "not_collected") in {
        (row.part, row.why) for row in sound.diagnose().coverage.not_checked
    }


def test_a_case_with_case_json_alone_cannot_tell(copy_of: Make) -> None:
    case = copy_of("intact")
    for part in ("rpc", "worker", "client"):
        case.drop(part)
    assert run(case) == ("inconclusive", 3)


def test_a_tail_gap_without_accounts_is_not_called_a_break(copy_of: Make) -> None:
    case = copy_of("rpc-tail-gap")
    case.drop("rpc/accounts.jsonl")
    assert run(case) == ("inconclusive", 3)


@pytest.mark.parametrize("name", ["foreign-issuer", "worker-head-reset"])
def test_two_lines_under_one_key_without_the_workers_records_are_broken_and_said_plainly(
    name: str, copy_of: Make
) -> None:
    case = copy_of(name)
    case.drop("worker")
    assert run(case) == ("broken", 1)
    assert [cause.name for cause in case.diagnose().grants[0].causes] == ["unexplained"], (
        "the chain alone does not show who issued"
    )


def test_a_later_collection_keeps_the_program_that_was_shown(copy_of: Make) -> None:
    """A date alone does not heal a break: the program last shown stays until something shows
    another.
    """
    case = copy_of("abandoned-no-worker")
    header = json.loads((case.path / "case.json").read_text())
    header["collected_at"] = 1777000000
    (case.path / "case.json").write_text(json.dumps(header))
    assert run(case) == ("broken", 1)


def test_transactions_alone_are_enough_to_attribute_and_judge(copy_of: Make) -> None:
    case = copy_of("abandoned-proof")
    for part in ("worker", "client", "rpc/accounts.jsonl"):
        case.drop(part)
    case.change(
        "rpc/transactions.jsonl",
        lambda rows: [r for r in rows if "UpsertPopConfig" not in json.dumps(r)],
    )
    case.change("rpc/signatures.jsonl", lambda rows: rows)
    assert run(case) == ("inconclusive", 3), (
        "nothing was read after the missing proof could land no more"
    )
    grant, answer = case.diagnose().grants[0], answer_of("abandoned-proof")["grants"][0]
    assert grant.first_bad is not None
    assert grant.first_bad["signature"] == answer["first_bad"]["signature"]
    assert grant.missing_entries == [], (
        "what stands on the chain's head is not known where PopState was not read"
    )


def test_a_rotated_key_is_seen_without_the_pop_config_account(copy_of: Make) -> None:
    """The worker's status names another key than the last upsert: the next proof would burn, though
    none was issued since.
    """
    case = copy_of("intact")
    config = {
        row["pubkey"]
        for row in case.rows("rpc/accounts.jsonl")
        if row["account"] and row["account"].get("space") == 73
    }
    assert len(config) == 1
    case.change(
        "rpc/accounts.jsonl", lambda rows: [row for row in rows if row["pubkey"] not in config]
    )
    assert run(case) == ("intact", 0)
    for name in ("pop-status", "runtime-status"):
        path = case.path / "worker" / f"{name}.json"
        status = json.loads(path.read_text())
        target = status["body"] if name == "pop-status" else status["body"]["checks"]
        target["signerPubkey" if name == "pop-status" else "popSignerPubkey"] = (
            "2RJD1KnDRGEkvuFfAGrJ7PD28LRE9LRDjZznDywagzmr"
        )
        path.write_text(json.dumps(status))
    assert run(case) == ("intact", 1)
    assert [cause.name for cause in case.diagnose().grants[0].causes] == ["signer_mismatch"]
