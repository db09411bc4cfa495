"""The worker's audit chain, its ticket receipts and its records, held against the chain (runbook Step 4)."""

from __future__ import annotations

import shlex
from collections.abc import Container
from typing import TYPE_CHECKING

from popkit.pages.blocks import Block, Cell, Code, Facts, Group, Mark, Note, Steps, Table
from popkit.pages.places import Places
from popkit.pages.text import count, short
from popkit.pages.views.choice import examined
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.keys import is_pubkey, is_signature
from popkit.protocol.pda import pop_state_address

if TYPE_CHECKING:
    from popkit.case import Case

MAX_ROWS = 60


def audit_summary(case: Case) -> Block:
    """What recomputing the audit chain came to, beside what the worker says of itself."""
    audit, records = case.diagnose().audit, case.facts.audit
    answer = case.facts.evidence.answers.get("audit-integrity")
    says = answer.body.get("ok") if answer is not None and isinstance(answer.body, dict) else None
    head = Facts(
        "The worker's audit chain, recomputed",
        {
            "result": Mark(audit.verdict),
            "rows, objects and receipts recomputed": audit.checked,
            "entries whose hash holds": len(records.entries),
            "sources": ", ".join(sorted(records.sources) + (["bucket"] if records.bucket_keys is not None else [])) or "none",
            "reaches the first entry": "yes" if records.reaches_genesis else "no",
            "the worker's own answer": "ok" if says is True else "not ok" if says is False else "not collected",
        },
    )
    return Group([head, _tampered(case)])


def _tampered(case: Case) -> Block:
    audit, places = case.diagnose().audit, Places(case)
    rows: list[list[Cell]] = []
    for what, keys in (
        ("entry edited", audit.edited),
        ("entry removed", audit.removed),
        ("bucket object edited", audit.edited_objects),
        ("bucket object missing", audit.missing_objects),
    ):
        for key in keys:
            rows.append([what, Code(key), places.spot(key) or "not in the case"])
    return Table(
        "Edited or removed",
        ("what", "key", "where"),
        rows[:MAX_ROWS],
        empty="nothing" if case.facts.audit.is_known else "not checked: no records",
    )


def receipts(case: Case) -> Block:
    """Ticket receipts against the audit entries they speak of, and whether the worker's own check would notice."""
    checks = case.facts.receipt_checks
    if not checks:
        return Note("No ticket receipts are in the case.")
    seen: dict[bool | None, str] = {True: "would pass it", False: "would refuse it", None: "cannot tell"}
    bad: list[list[Cell]] = [[Code(c.receipt_id), ", ".join(c.wrong), seen[c.server_accepts], str(c.place)] for c in checks if c.is_bad]
    unknown = sum("entry" in c.unknown for c in checks)
    rest = f"{count(len(checks), 'receipt')} checked, {len(bad)} false" + (f", {unknown} by their own hash alone." if unknown else ".")
    table = Table(
        "Ticket receipts that do not hold", ("receipt", "differs in", "the worker's check", "where"), bad[:MAX_ROWS], empty="none"
    )
    return Group([Note(rest, "bad" if bad else "plain"), table])


def reconciliation(case: Case) -> Block:
    """The worker's records against the chain: claims that only one of the two knows."""
    found = case.diagnose().reconciliation
    places = Places(case)
    rows: list[list[Cell]] = []
    for what, keys in (
        ("recorded, not on chain", found.unbacked_records),
        ("on chain, not recorded", found.unsynced_claims),
        ("issued, never accepted", found.abandoned_proofs),
    ):
        for key in keys:
            rows.append([what, Code(key), places.spot(key)])
    note = f"{count(len(rows) - MAX_ROWS, 'more row')} in findings.json." if len(rows) > MAX_ROWS else ""
    columns = ("what", "signature or entry", "where")
    return Table("Records against the chain", columns, rows[:MAX_ROWS], empty="nothing differs, as far as it was checked", note=note)


def how_to_check_without_popkit(case: Case, grant: str = "") -> Block:
    """The same answer by hand, with tools that every machine has: from the case's bytes to the break."""
    steps: list[str | tuple[str, str]] = [
        (
            "The bytes are those collected. In the case's directory (on macOS: shasum -a 256 -c):",
            "sha256sum -c manifest-sha256.txt",
        ),
        (
            "Every signature, hash, link and receipt holds, and findings.json says what the chain says. check.py is one file that needs "
            "Python alone and shares no code with popkit; read it first. To write it, and to run it in the directory of this report:",
            "popkit verify CASE --standalone check.py",
        ),
        ("CASE is the case's directory:", "python3 check.py CASE findings.json"),
    ]
    blocks: list[Block] = [Steps("The case itself", steps)]
    blocks += [Steps(f"Grant {short(g.grant)}", _by_hand(case, g.grant)) for g in examined(case, grant)]
    return Group(blocks)


def _by_hand(case: Case, grant: str) -> list[str | tuple[str, str]]:
    """Only keys that are what they should be go into a command: the rest of a case is somebody's text."""
    g, chain = case.diagnose().grant(grant), case.facts.chain(grant)
    names = case.evidence.files
    transactions = _file(names, "rpc/transactions.jsonl")
    steps: list[str | tuple[str, str]] = []
    good, bad = g.last_good, g.first_bad
    if good is not None and is_signature(good["signature"]):
        steps.append(("The last good claim is there, and meta.err is null:", _grep(good["signature"], transactions)))
    if bad is not None and bad["signature"] is not None and is_signature(bad["signature"]):
        error = bad["error"] or "the error"
        steps.append((f"The first bad claim is there, and its logs name {error}:", _grep(bad["signature"], transactions)))
        if error in CHAIN_RULE_ERRORS:
            steps.append(
                "In that transaction, the ed25519 instruction holds the signed message. Bytes 73 to 104 of it, counted from 0, are "
                f"its prev_hash: {bad['prev_hash']}. The chain's head is {chain.head}. The program asks for equality, and they differ."
            )
    state = pop_state_address(grant, case.facts.header.program_id)
    if is_pubkey(state):
        account = _grep(state, _file(names, "rpc/accounts.jsonl"))
        steps.append((f"PopState is the account {state}; bytes 40 to 71 of its data (base64) are the chain's head, {chain.head}:", account))
    if g.missing_entries:
        lost = f"The proof {g.missing_entries[0]} is in no accepted claim; the worker's anchor of it names the chain's head as prevHash:"
        steps.append((lost, f"grep -rn {chain.head} worker/"))
    steps.append(
        "An entry hash is SHA-256 over the plain concatenation of: the text we-ne:pop:v2, prev_hash, stream_prev_hash, "
        "audit_hash, grant, "
        "claimer (32 bytes each), period_index (8 bytes, unsigned), issued_at (8 bytes, signed), both little-endian. Version 1 has no "
        "audit_hash and begins we-ne:pop:v1."
    )
    return steps


def _file(names: Container[str], stem: str) -> str:
    """The file of the case that holds a part, as it is packed there."""
    packed = [stem + suffix for suffix in ("", ".zst", ".gz") if stem + suffix in names]
    return packed[0] if packed else stem


def _grep(key: str, file: str) -> str:
    tool = {"zst": "zstdcat", ".gz": "gzip -dc"}.get(file[-3:])
    return f"{tool} {shlex.quote(file)} | grep -n {shlex.quote(key)}" if tool else f"grep -n {shlex.quote(key)} {shlex.quote(file)}"
