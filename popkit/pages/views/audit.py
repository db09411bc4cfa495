"""The worker's audit chain, its ticket receipts and its records, held against the chain (runbook
Step 4).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Mark, Note, Steps, Table
from popkit.pages.naming import YES_NO, known
from popkit.pages.places import Places
from popkit.pages.text import NOT_KNOWN, count, short
from popkit.pages.views.choice import examined
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.keys import is_pubkey, is_signature

if TYPE_CHECKING:
    from popkit.case import Case
    from popkit.diagnosis.result import Diagnosis, GrantDiagnosis

MAX_ROWS = 60


def audit_summary(case: Case) -> Block:
    """What recomputing the audit chain came to, beside what the worker says of itself."""
    diagnosis = case.diagnose()
    audit, records = diagnosis.audit, diagnosis.worker_records
    head = Facts(
        "The worker's audit chain, recomputed",
        {
            "result": Mark(audit.verdict),
            "rows, objects and receipts recomputed": audit.checked,
            "entries whose hash holds": known(records.entries),
            "sources": ", ".join(records.sources) or "none",
            "reaches the first entry": YES_NO[records.reaches_first_entry],
            "the worker's own answer": records.own_answer,
        },
    )
    return Group([head, _tampered(case)])


def _tampered(case: Case) -> Block:
    diagnosis, places = case.diagnose(), Places(case)
    audit = diagnosis.audit
    lists = {
        "edited": ("entry edited", audit.edited),
        "removed": ("entry removed", audit.removed),
        "edited_objects": ("bucket object edited", audit.edited_objects),
        "missing_objects": ("bucket object missing", audit.missing_objects),
    }
    rows: list[list[Cell]] = [
        [what, Code(key), places.spot(key) or "not in the case"]
        for what, keys in lists.values()
        for key in keys
    ]
    has_records = diagnosis.worker_records.entries is not None
    unknown = [what for name, (what, _) in lists.items() if name in audit.unknown]
    rows = [*rows[:MAX_ROWS], *(_not_known(unknown) if rows or has_records else [])]
    empty = "nothing" if has_records else "not checked: no records"
    return Table("Edited or removed", ("what", "key", "where"), rows, empty=empty)


def _not_known(lists: Iterable[str]) -> list[list[Cell]]:
    """A row for each list that nothing in the case could fill: it is not known to be empty."""
    return [[what, NOT_KNOWN, None] for what in lists]


def receipts(case: Case) -> Block:
    """Ticket receipts against the audit entries they speak of, and whether the worker's own check
    would notice.
    """
    records = case.diagnose().worker_records
    if records.receipts is None:
        return Note("No ticket receipts are in the case.")
    seen: dict[bool | None, str] = {
        True: "would pass it",
        False: "would refuse it",
        None: "cannot tell",
    }
    bad: list[list[Cell]] = [
        [Code(c.receipt_id), ", ".join(c.wrong), seen[c.server_accepts], str(c.place)]
        for c in records.bad_receipts
    ]
    rest = f"{count(len(records.receipts), 'receipt')} checked, {len(records.bad_receipts)} false"
    rest += f", {records.by_hash_alone} by their own hash alone." if records.by_hash_alone else "."
    table = Table(
        "Ticket receipts that do not hold",
        ("receipt", "differs in", "the worker's check", "where"),
        bad[:MAX_ROWS],
        empty="none",
    )
    return Group([Note(rest, "bad" if bad else "plain"), table])


def reconciliation(case: Case) -> Block:
    """The worker's records against the chain: claims that only one of the two knows."""
    found = case.diagnose().reconciliation
    places = Places(case)
    lists = {
        "unbacked_records": ("recorded, not on chain", found.unbacked_records),
        "unsynced_claims": ("on chain, not recorded", found.unsynced_claims),
        "abandoned_proofs": ("issued, never accepted", found.abandoned_proofs),
    }
    rows: list[list[Cell]] = [
        [what, Code(key), places.spot(key)] for what, keys in lists.values() for key in keys
    ]
    note = (
        f"{count(len(rows) - MAX_ROWS, 'more row')} in findings.json."
        if len(rows) > MAX_ROWS
        else ""
    )
    rows = [
        *rows[:MAX_ROWS],
        *_not_known(what for name, (what, _) in lists.items() if name in found.unknown),
    ]
    columns = ("what", "signature or entry", "where")
    return Table(
        "Records against the chain",
        columns,
        rows,
        empty="nothing differs, as far as it was checked",
        note=note,
    )


def how_to_check_without_popkit(case: Case, grant: str = "") -> Block:
    """The same answer by hand, with tools that every machine has: from the case's bytes to the
    break.
    """
    steps: list[str | tuple[str, str]] = [
        (
            "The bytes are those collected. In the case's directory (on macOS: shasum -a 256 -c):",
            "sha256sum -c manifest-sha256.txt",
        ),
        (
            "Every signature, hash, link and receipt holds, and findings.json says what the chain "
            "says. check.py is one file that needs "
            "Python alone and shares no code with popkit; read it first. To write it, and to run "
            "it in the directory of this report:",
            "popkit verify CASE --standalone check.py",
        ),
        ("CASE is the case's directory:", "python3 check.py CASE findings.json"),
    ]
    blocks: list[Block] = [Steps("The case itself", steps)]
    blocks += [
        Steps(f"Grant {short(g.grant)}", _by_hand(case.diagnose(), g))
        for g in examined(case, grant)
    ]
    return Group(blocks)


def _by_hand(diagnosis: Diagnosis, g: GrantDiagnosis) -> list[str | tuple[str, str]]:
    """Only keys that are what they should be go into a command: the rest of a case is somebody's
    text.
    """
    transactions = diagnosis.file("rpc/transactions.jsonl")
    head = g.two_heads.on_chain
    steps: list[str | tuple[str, str]] = []
    good, bad = g.last_good, g.first_bad
    if good is not None and is_signature(good["signature"]):
        steps.append(
            (
                "The last good claim is there, and meta.err is null:",
                _grep(good["signature"], transactions),
            )
        )
    if bad is not None and bad["signature"] is not None and is_signature(bad["signature"]):
        error = bad["error"] or "the error"
        steps.append(
            (
                f"The first bad claim is there, and its logs name {error}:",
                _grep(bad["signature"], transactions),
            )
        )
        if error in CHAIN_RULE_ERRORS and head is not None:
            steps.append(
                "In that transaction, the ed25519 instruction holds the signed message. Bytes 73 "
                "to 104 of it, counted from 0, are "
                f"its prev_hash: {bad['prev_hash']}. The chain's head is {head}. The program asks "
                f"for equality, and they differ."
            )
    state = g.pop_state
    if is_pubkey(state):
        account = _grep(state, diagnosis.file("rpc/accounts.jsonl"))
        which = (
            f"the chain's head, {head}"
            if head is not None
            else "the chain's head, which is not known from this case"
        )
        steps.append(
            (
                f"PopState is the account {state}; bytes 40 to 71 of its data (base64) are {which}:",
                account,
            )
        )
    if g.missing_entries and head is not None:
        lost = f"The proof {g.missing_entries[0]} is in no accepted claim; the worker's anchor of it names the chain's head as prevHash:"
        steps.append((lost, f"grep -rn {head} worker/"))
    steps.append(
        "An entry hash is SHA-256 over the plain concatenation of: the text we-ne:pop:v2, "
        "prev_hash, stream_prev_hash, "
        "audit_hash, grant, "
        "claimer (32 bytes each), period_index (8 bytes, unsigned), issued_at (8 bytes, signed), "
        "both little-endian. Version 1 has no "
        "audit_hash and begins we-ne:pop:v1."
    )
    return steps


def _grep(key: str, file: str) -> str:
    tool = {"zst": "zstdcat", ".gz": "gzip -dc"}.get(file[-3:])
    return (
        f"{tool} {shlex.quote(file)} | grep -n {shlex.quote(key)}"
        if tool
        else f"grep -n {shlex.quote(key)} {shlex.quote(file)}"
    )
