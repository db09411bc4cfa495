"""Recorded cases with their worker's part cut at every tenth record, and with their accounts of
every earlier moment.

The recordings say what is true at their end. Of an earlier moment of the accounts it is read off
the recording: what was accepted by then, where the worker's anchors had led by then.

`python -m tests.worlds.recorded [FOLDER]` asks about all of them (FOLDER holds cases and
NAME.answer.json beside them).
"""

from __future__ import annotations

import base64
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import zstandard

from popkit.drill.addresses import pop_state_address, receipt_address
from popkit.protocol.accounts import PopState, decode_account, encode_account
from popkit.protocol.ed25519 import read_proof
from popkit.protocol.instructions import decode_instruction
from popkit.protocol.keys import ED25519_PROGRAM, PROGRAM_ID
from popkit.protocol.message import PopMessage, decode_message
from popkit.protocol.transaction import decode_wire
from tests.worlds.run import answer

GENESIS = "0" * 64
REACH = 60
KEEPS_ITS_HEAD = "hashSource"
"""The member that an anchor of a worker has which takes parents from clients."""


@dataclass(frozen=True)
class Claim:
    """An accepted claim of a recording; `message` is None for a nine-account claim."""

    slot: int
    time: int
    grant: str
    claimer: str
    period: int
    message: PopMessage | None


def load(folder: Path) -> dict[str, Any]:
    """A case's files: a list for every .jsonl, a document for every .json; the bucket is packed."""
    files: dict[str, Any] = {}
    bucket = []
    for path in sorted(
        p for p in folder.rglob("*") if p.is_file() and p.name != "manifest-sha256.txt"
    ):
        name = path.relative_to(folder).as_posix()
        if name.startswith("worker/r2/"):
            bucket.append({"key": name.removeprefix("worker/r2/"), "text": path.read_text()})
        elif ".jsonl" in name:
            data = path.read_bytes()
            if name.endswith(".zst"):
                data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
            files[name.removesuffix(".zst")] = [
                json.loads(line) for line in data.decode().splitlines()
            ]
        else:
            files[name] = json.loads(path.read_text())
    if bucket:
        files["worker/r2.jsonl"] = bucket
    return files


class Recording:
    """One recorded case and its answer."""

    def __init__(self, folder: Path, answer_file: Path) -> None:
        self.name = folder.name
        self.files = load(folder)
        self.wanted = json.loads(answer_file.read_text())
        self.grants = {row["grant"]: row for row in self.wanted["grants"]}

    @cached_property
    def whole(self) -> dict[str, Any]:
        """What popkit says of the whole case."""
        return answer(self.files)

    @cached_property
    def entries(self) -> list[dict[str, Any]]:
        """The worker's audit entries in the order of its chain: from every beginning on, each by
        its prev_hash.
        """
        found: dict[str, dict[str, Any]] = {}
        rows = [
            json.loads(row["text"])["entry"]
            for row in self.files.get("worker/r2.jsonl", [])
            if row["key"].startswith("audit/immutable/entry")
        ]
        rows += [
            row["value"]
            for row in self.files.get("worker/storage.jsonl", [])
            if row["key"].startswith("audit_entry:")
        ]
        logs = self.files.get("worker/audit-logs.json", {"body": {}})["body"]
        rows += logs.get("logs", []) if isinstance(logs, dict) else []
        for row in rows:
            found.setdefault(row["entry_hash"], row)
        children: dict[str, list[str]] = {}
        for row in found.values():
            children.setdefault(row["prev_hash"], []).append(row["entry_hash"])
        ordered: list[dict[str, Any]] = []
        todo = [e for e, row in found.items() if row["prev_hash"] not in found]
        todo.sort(key=lambda e: found[e]["ts"], reverse=True)
        while todo:
            entry = todo.pop()
            ordered.append(found[entry])
            todo += sorted(children.get(entry, []), key=lambda e: found[e]["ts"], reverse=True)
        return ordered

    @cached_property
    def claims(self) -> list[Claim]:
        """Accepted claims in the order of slots."""
        found = []
        for row in self.files["rpc/transactions.jsonl"]:
            result = row["result"]
            if result is None or result["meta"]["err"] is not None:
                continue
            loaded = result["meta"].get("loadedAddresses") or {"writable": [], "readonly": []}
            tx = decode_wire(
                base64.b64decode(result["transaction"][0]),
                tuple(loaded["writable"]),
                tuple(loaded["readonly"]),
            )
            message = None
            for instruction in tx.instructions:
                if instruction.program == ED25519_PROGRAM:
                    message = decode_message(read_proof(instruction.data or b"").message)
                if instruction.program != PROGRAM_ID:
                    continue
                call = decode_instruction(instruction.data or b"", list(instruction.accounts))
                if call.is_claim:
                    accounts = call.accounts
                    pop = message if "pop_state" in accounts else None
                    period = call.args["period_index"]
                    found.append(
                        Claim(
                            result["slot"],
                            result["blockTime"],
                            accounts["grant"],
                            accounts["claimer"],
                            period,
                            pop,
                        )
                    )
        return sorted(found, key=lambda c: c.slot)

    def cut(self, count: int) -> dict[str, Any]:
        """The case whose worker part ends with its `count`-th record: bucket, list and storage as
        they were then.
        """
        kept = {row["entry_hash"] for row in self.entries[:count]}
        until = _seconds(self.entries[count - 1]["ts"]) if count else 0
        files = dict(self.files)
        if "worker/r2.jsonl" in files:
            files["worker/r2.jsonl"] = [
                r
                for r in files["worker/r2.jsonl"]
                if json.loads(r["text"])["entry"]["entry_hash"] in kept
            ]
        listed = files.pop("worker/audit-logs.json", None)
        if listed is not None:
            have = {row["entry_hash"]: row for row in listed["body"]["logs"]}
            rows = sorted(
                self.entries[:count], key=lambda e: (e["ts"], e["entry_hash"]), reverse=True
            )[:50]
            # The bucket's texts lack `immutable`, so that an older list is known only where the newest one still holds its rows.
            # A worker's list holds fifty rows or begins with its first one.
            whole = len(rows) == 50 or self.entries[0]["prev_hash"] == "GENESIS"
            if rows and whole and all(row["entry_hash"] in have for row in rows):
                files["worker/audit-logs.json"] = {
                    **listed,
                    "body": {**listed["body"], "logs": [have[r["entry_hash"]] for r in rows]},
                }
        if "worker/storage.jsonl" in files:
            files["worker/storage.jsonl"] = self._storage(kept, until)
        if "worker/ticket-receipts.jsonl" in files:
            rows = files["worker/ticket-receipts.jsonl"]
            files["worker/ticket-receipts.jsonl"] = [
                r for r in rows if r["audit"]["entryHash"] in kept
            ]
        return files

    def _storage(self, kept: set[str], until: int) -> list[dict[str, Any]]:
        """The storage as it was: audit rows that were there, history up to then, heads as history
        gives them.
        """
        rows, heads = [], {}
        last: dict[str, str] = {}
        for entry in self.entries:
            if entry["entry_hash"] in kept:
                last["global"] = last[entry["eventId"]] = entry["entry_hash"]
        for row in self.files["worker/storage.jsonl"]:
            key, value = row["key"], row["value"]
            if (
                key.startswith(("audit_entry:", "audit_history:"))
                and key.rsplit(":", 1)[1] not in kept
            ):
                continue
            if key.startswith("pop_chain:history:"):
                if _seconds(key.removeprefix("pop_chain:history:").rsplit(":", 1)[0]) > until:
                    continue
                if value.get("popChainAdvanced") is not False:
                    heads[value["grant"]] = value["entryHash"]
            if key.startswith(("pop_chain:lastHash:", "audit:lastHash:")):
                continue
            if key.startswith("ticket_receipt:") and value["audit"]["entryHash"] not in kept:
                continue
            rows.append(row)
        rows += [
            {"key": f"audit:lastHash:{stream}", "value": entry} for stream, entry in last.items()
        ]
        for grant, head in heads.items():
            rows += [
                {"key": f"pop_chain:lastHash:{link}:{grant}", "value": head}
                for link in ("global", "stream")
            ]
        return rows

    def earlier(self, claim: Claim, newest: bool) -> dict[str, Any]:
        """The case whose PopStates and receipts were read in the slot of an accepted claim."""
        done = [c for c in self.claims if c.slot <= claim.slot]
        receipts = {receipt_address(c.grant, c.claimer, c.period) for c in done}
        later = {receipt_address(c.grant, c.claimer, c.period) for c in self.claims} - receipts
        states = {pop_state_address(grant): grant for grant in self.files["case.json"]["grants"]}
        rows = []
        for row in self.files["rpc/accounts.jsonl"]:
            then = row["account"]
            if row["pubkey"] in states:
                then = self._state(row, states[row["pubkey"]], done)
            elif row["pubkey"] in later:
                then = None
            moved = row["pubkey"] in states or row["pubkey"] in receipts | later
            rows.append({**row, "slot": claim.slot, "account": then} if moved else row)
        files = {**self.files, "rpc/accounts.jsonl": rows}
        if not newest:
            files["case.json"] = {**files["case.json"], "collected_at": claim.time}
        return files

    @staticmethod
    def _state(row: dict[str, Any], grant: str, done: list[Claim]) -> dict[str, Any] | None:
        state = None
        if row["account"] is None:
            return None
        final = decode_account(base64.b64decode(row["account"]["data"][0]))
        for claim in done:
            m = claim.message
            if (
                claim.grant == grant
                and m is not None
                and (state is None or m.issued_at >= state.last_issued_at)
            ):
                # Under strict rules a younger claim is always younger by issue too, but for a clock that stepped; no recording has one.
                state = PopState(
                    grant, m.entry_hash, m.entry_hash, m.period_index, m.issued_at, True, final.bump
                )
        return (
            None
            if state is None
            else {
                **row["account"],
                "data": [base64.b64encode(encode_account(state)).decode(), "base64"],
            }
        )

    def words_at(self, grant: str, now: int) -> set[str]:
        """What a grant may have been at an earlier time, when a claim had just been accepted in the
        case, or since then.
        """
        done = [c for c in self.claims if c.grant == grant and c.time <= now]
        issued = [
            e
            for e in self.entries
            if e["event"] == "POP_CLAIM_PROOF_ANCHOR"
            and e["data"]["grant"] == grant
            and _seconds(e["ts"]) <= now
        ]
        later = [
            e
            for e in self.entries
            if e["event"] == "POP_CLAIM_PROOF_ANCHOR"
            and e["data"]["grant"] == grant
            and _seconds(e["ts"]) > now
        ]
        return self._words_then(done, issued, now) | ({"in_flight"} if later else set())

    @staticmethod
    def _words_then(done: list[Claim], issued: list[dict[str, Any]], now: int) -> set[str]:
        if not done and not issued:
            return {"unused"}
        own = [e for e in issued if KEEPS_ITS_HEAD not in e["data"]]
        if not own:
            return {"intact", "recovered"}
        newest = own[-1]["data"]
        landed = {(c.claimer, c.period, c.message.prev_hash) for c in done if c.message is not None}
        ahead = (newest["claimer"], int(newest["periodIndex"]), newest["prevHash"]) not in landed
        return (
            {"in_flight"}
            if ahead and now - _seconds(own[-1]["ts"]) <= 600
            else set()
            if ahead
            else {"intact", "recovered"}
        )


def _seconds(ts: str) -> int:
    return int(datetime.fromisoformat(ts).timestamp())


def _newest_record(files: dict[str, Any]) -> int:
    rows = [
        json.loads(row["text"])["entry"]["ts"]
        for row in files.get("worker/r2.jsonl", [])
        if "/entry/" in row["key"]
    ]
    rows += [
        row["value"]["ts"]
        for row in files.get("worker/storage.jsonl", [])
        if row["key"].startswith("audit_entry:")
    ]
    rows += [
        row["ts"]
        for row in files.get("worker/audit-logs.json", {"body": {"logs": []}})["body"].get(
            "logs", []
        )
    ]
    return max(map(_seconds, rows), default=0)


def wrong(
    recording: Recording, files: dict[str, Any], found: dict[str, Any], now: int | None
) -> Iterator[tuple[str, str]]:
    """(kind, text) of everything that an answer says otherwise than the recording. `now`: the
    accounts' earlier time, where it is one.
    """
    whole = recording.whole
    codes = {
        f["code"]
        for f in [*whole["findings"], *whole["audit"]["findings"]]
        if f["severity"] == "critical"
    }
    for row in found["grants"]:
        wanted = recording.grants[row["grant"]]
        may = {wanted["verdict"], "inconclusive"} | (
            recording.words_at(row["grant"], now) if now is not None else set()
        )
        if (
            wanted["verdict"] == "in_flight"
            and _newest_record(files) >= recording.files["case.json"]["collected_at"] - REACH
        ):
            may |= {
                "intact",
                "recovered",
                "unused",
            }  # records may end up to sixty seconds before the accounts
        if row["verdict"] not in may:
            yield (
                f"says {row['verdict']}, is {'/'.join(sorted(may - {'inconclusive'}))}",
                row["grant"],
            )
        true_row = next(r for r in whole["grants"] if r["grant"] == row["grant"])
        causes = (
            set(row["causes"])
            - set(wanted.get("causes", []))
            - set(true_row["causes"])
            - {"unexplained"}
        )
        if wanted["verdict"] == "in_flight":
            causes -= {"out_of_order"}
        if causes:
            yield (
                f"names the causes {sorted(causes)}",
                f"{row['verdict']}, true {wanted.get('causes')}",
            )
        if (row["heals_until"] is not None) != (row["verdict"] == "in_flight"):
            yield "heals_until and in_flight differ", str(row["heals_until"])
        if now is None and wanted["verdict"] == "broken":
            people = set(row["affected_claimers"] or []) - set(wanted.get("affected_claimers", []))
            if people:
                yield (
                    "names people who are not affected",
                    f"{row['verdict']}: {sorted(p[:6] for p in people)}",
                )
    critical = [
        f for f in [*found["findings"], *found["audit"]["findings"]] if f["severity"] == "critical"
    ]
    for code in sorted({f["code"] for f in critical} - codes - {"chain_broken"}):
        yield f"critical {code}", str(next(f for f in critical if f["code"] == code))[:300]
    wanted_exit = (
        1
        if found["verdict"] == "broken" or critical
        else 3
        if found["verdict"] == "inconclusive"
        else 0
    )
    if found["exit_code"] not in (wanted_exit, 3 if wanted_exit == 0 else wanted_exit):
        yield "exit code does not follow", f"{found['exit_code']}, want {wanted_exit}"


def cuts(recording: Recording, every: int = 10) -> Iterator[tuple[str, dict[str, Any], int | None]]:
    """(what, files, the accounts' earlier time or None): the case cut at every tenth record, and
    with accounts of every earlier moment.
    """
    if recording.entries:
        number = len(recording.entries)
        # Where a recording ends, its break is decided: there every second record is a place to cut.
        for count in sorted({*range(0, number, every), *range(max(0, number - 14), number, 2)}):
            yield f"worker cut at {count} of {len(recording.entries)}", recording.cut(count), None
    step = max(1, every // 10)
    for claim in recording.claims[:-1][::step]:
        for newest in (False, True):
            what = f"accounts of slot {claim.slot}, collected_at {'newest' if newest else 'theirs'}"
            yield what, recording.earlier(claim, newest), claim.time


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("data/cases")
    answers = folder if len(sys.argv) > 1 else Path("data/answers")
    names = sys.argv[2:] or sorted(p.name for p in folder.iterdir() if (p / "case.json").is_file())
    asked, met, first = 0, Counter[str](), {}
    for name in names:
        recording = Recording(folder / name, answers / f"{name}.answer.json")
        for what, files, now in cuts(recording, every=200 if name == "term" else 10):
            asked += 1
            for kind, text in wrong(recording, files, answer(files), now):
                met[kind] += 1
                first.setdefault(kind, f"{name}, {what}: {text}")
    print(f"{asked} questions of {len(names)} recordings")
    for kind, count in met.most_common():
        print(f"{count:6} × {kind}\n    {first[kind]}")
    return 1 if met else 0


if __name__ == "__main__":
    sys.exit(main())
