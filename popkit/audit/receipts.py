"""Ticket receipts against the audit entries they speak of, every field, and what the worker's own
check would say.

The worker compares neither the subject commitment, nor issuedAt, nor the event, nor the sinks'
times; a receipt with those replaced and its hash recomputed passes there. Here it does not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from popkit.audit.copies import Alteration, reading_of_row, restored
from popkit.audit.entries import AuditEntry, AuditRecords, milliseconds
from popkit.audit.reading import is_sink_of
from popkit.evidence.lines import Place
from popkit.protocol import canonical
from popkit.texts import Listed, Sentence, sentence

VERIFY_ENDPOINT = "/api/audit/receipts/verify"
RECEIPT_TYPE = "participation_audit_receipt"
SINK_TIMES = "audit.immutableSinks.at"
"""What only the entry's own row in list or storage tells: when each sink was written (and the mode,
and sinks beside the bucket).
"""
MODES = ("off", "best_effort", "required")
FIELDS = frozenset(
    {
        *(
            "version",
            "type",
            "receiptId",
            "receiptHash",
            "issuedAt",
            "confirmationCode",
            "subjectCommitment",
            "verifyEndpoint",
            "audit",
        ),
        *(
            f"audit.{name}"
            for name in ("event", "eventId", "entryHash", "prevHash", "streamPrevHash")
        ),
        *("audit.immutableMode", "audit.immutablePayloadHash", "audit.immutableSinks"),
    }
)
"""All that a worker writes into a receipt; what stands beside it was added by somebody else, who
hashed the receipt anew.
"""


@dataclass(frozen=True, slots=True)
class ReceiptCheck:
    """What a ticket receipt's check gave: `wrong` names the fields that do not hold, `unknown`
    those that could not be checked.

    `server_accepts` is True or False as the worker's own check would say, None where the evidence
    does not tell.
    """

    receipt_id: str
    wrong: tuple[str, ...]
    unknown: tuple[str, ...]
    server_accepts: bool | None
    place: Place

    @property
    def is_bad(self) -> bool:
        return bool(self.wrong)

    @property
    def observed(self) -> Sentence:
        """What was seen, in words. An absent entry speaks against the receipt or against the chain:
        it cannot say which.
        """
        if "entry" in self.wrong:
            return sentence(
                "the receipt's entry is not in the audit chain, which is whole over that time: the "
                "receipt is false, or the chain was "
                "rewritten",
                "レシートのエントリが、その期間について完全な監査チェーンにありません。レシートが偽物か、チェーンが書き換えられています",
            )
        if not self.wrong:
            return sentence("the receipt says the same", "レシートの内容は一致しています")
        return sentence(
            "the receipt differs in {fields}",
            "レシートの次の項目が異なります: 「{fields}」",
            fields=Listed(self.wrong, between=", "),
        )


def subjects_of(entry: AuditEntry) -> list[str]:
    """Whom an entry's claim may be of, as the worker commits to it: the user of a USER_CLAIM, else
    the recipient (wallet or join token).

    A user's claim that names a wallet has that wallet as its recipient, and is the user's all the
    same.
    """
    transfer, pii = entry.data.get("transfer"), entry.data.get("pii")
    recipient = transfer.get("recipient") if isinstance(transfer, dict) else None
    users = [pii.get("userId") if isinstance(pii, dict) else None, entry.data.get("userId")]
    users += [entry.actor.get("id") if entry.actor.get("type") == "user" else None]
    told = users if any(users) else [recipient.get("id") if isinstance(recipient, dict) else None]
    return [value for value in dict.fromkeys(told) if isinstance(value, str)]


def check_receipt(receipt: dict[str, Any], records: AuditRecords, place: Place) -> ReceiptCheck:
    """Hold one ticket receipt against its entry.

    Without the entry only the receipt's own hash can be checked; the rest is then unknown, not
    right.
    """
    audit = receipt.get("audit") if isinstance(receipt.get("audit"), dict) else {}
    assert isinstance(audit, dict)
    receipt_id = receipt.get("receiptId") if isinstance(receipt.get("receiptId"), str) else ""
    wrong: list[str] = []
    unknown: list[str] = []
    if (
        receipt.get("version") is True
        or receipt.get("version") != 1
        or receipt.get("type") != RECEIPT_TYPE
    ):
        wrong.append("type")
    hash_holds = canonical.receipt_hash(receipt) == receipt.get("receiptHash")
    if not hash_holds:
        wrong.append("receiptHash")
    if audit.get("entryHash") != receipt_id:
        wrong.append("receiptId")
    wrong += sorted({*receipt, *(f"audit.{name}" for name in audit)} - FIELDS)
    entry = records.entries.get(str(audit.get("entryHash")))
    if entry is None:
        (wrong if _is_absent(receipt, audit, records) else unknown).append("entry")
        return ReceiptCheck(
            str(receipt_id), tuple(wrong), tuple(unknown), False if wrong else None, place
        )
    expected = {
        "issuedAt": (receipt.get("issuedAt"), entry.ts),
        "confirmationCode": (receipt.get("confirmationCode"), entry.data.get("confirmationCode")),
        "verifyEndpoint": (receipt.get("verifyEndpoint"), VERIFY_ENDPOINT),
        "audit.event": (audit.get("event"), entry.event),
        "audit.eventId": (audit.get("eventId"), entry.event_id),
        "audit.prevHash": (audit.get("prevHash"), entry.prev_hash),
        "audit.streamPrevHash": (audit.get("streamPrevHash"), entry.stream_prev_hash),
    }
    wrong += [name for name, (seen, wanted) in expected.items() if seen != wanted]
    commitments = {
        canonical.subject_commitment(entry.event_id, subject) for subject in subjects_of(entry)
    }
    if not commitments:
        unknown.append("subjectCommitment")
    elif receipt.get("subjectCommitment") not in list(commitments):
        wrong.append("subjectCommitment")
    wrong += _wrong_payload(audit, entry, records)
    sinks_wrong, sinks_unknown = _sinks(audit, entry, records)
    wrong += sinks_wrong
    unknown += sinks_unknown
    return ReceiptCheck(
        str(receipt_id), tuple(wrong), tuple(unknown), _server_accepts(wrong, audit, entry), place
    )


def receipts_made_by(entry: AuditEntry) -> list[dict[str, Any]]:
    """The ticket receipts that the worker makes of a claim's entry, one for each subject it may be
    of; [] where its sinks are not known.

    Every field follows from the entry and from its row's `immutable` (the same code from 09754b1 to
    HEAD), so that a receipt nobody kept can be had again.
    """
    if entry.immutable is None:
        return []
    audit = {
        "event": entry.event,
        "eventId": entry.event_id,
        "entryHash": entry.hash,
        "prevHash": entry.prev_hash,
        "streamPrevHash": entry.stream_prev_hash,
        "immutableMode": entry.immutable.get("mode"),
        "immutablePayloadHash": entry.immutable.get("payload_hash"),
        "immutableSinks": entry.immutable.get("sinks"),
    }
    made = []
    for subject in subjects_of(entry):
        receipt = {
            "version": 1,
            "type": RECEIPT_TYPE,
            "receiptId": entry.hash,
            "issuedAt": entry.ts,
            "confirmationCode": entry.data.get("confirmationCode"),
            "subjectCommitment": canonical.subject_commitment(entry.event_id, subject),
            "verifyEndpoint": VERIFY_ENDPOINT,
            "audit": audit,
        }
        made.append({**receipt, "receiptHash": canonical.receipt_hash(receipt)})
    return made


def _is_absent(receipt: dict[str, Any], audit: dict[str, Any], records: AuditRecords) -> bool:
    """Whether the entry that a receipt names is in no part of an audit chain that is complete over
    the receipt's time (its entry's own).
    """
    issued = milliseconds(str(receipt.get("issuedAt")))
    if issued is None or str(audit.get("entryHash")) in records.named:
        return False
    return records.spans(issued - 1, issued + 1)


def _objects_of(entry: AuditEntry, records: AuditRecords) -> set[str]:
    """The keys under which the bucket holds an entry: sinks that were written, and that its receipt
    must name.
    """
    return set((records.bucket_keys or {}).get(entry.hash, ()))


def _wrong_payload(audit: dict[str, Any], entry: AuditEntry, records: AuditRecords) -> list[str]:
    stated = audit.get("immutablePayloadHash")
    if (
        stated is None
        and entry.immutable is None
        and audit.get("immutableMode") == "off"
        and not _objects_of(entry, records)
    ):
        return []
    return [] if stated == canonical.payload_hash(entry.raw) else ["audit.immutablePayloadHash"]


def _sinks(
    audit: dict[str, Any], entry: AuditEntry, records: AuditRecords
) -> tuple[list[str], list[str]]:
    """(wrong, unknown) of mode and sinks: places follow from the entry, objects in the bucket were
    written; the rest only its row tells.
    """
    stated = audit.get("immutableSinks")
    if not isinstance(stated, list) or not all(isinstance(sink, dict) for sink in stated):
        return ["audit.immutableSinks"], []
    row = entry.immutable
    if row is not None:
        wrong = ["audit.immutableSinks"] if stated != row.get("sinks") else []
        return wrong + (
            ["audit.immutableMode"] if audit.get("immutableMode") != row.get("mode") else []
        ), []
    kinds = [sink.get("sink") for sink in stated]
    fit = all(set(sink) == {"sink", "ref", "at"} and is_sink_of(entry, sink) for sink in stated)
    if (
        not fit
        or any(kinds.count(kind) > 1 for kind in kinds)
        or not _objects_of(entry, records) <= {str(sink.get("ref")) for sink in stated}
    ):
        return ["audit.immutableSinks"], []
    if audit.get("immutableMode") not in MODES or (audit.get("immutableMode") == "off" and stated):
        return ["audit.immutableMode"], []
    if any(not _is_time(sink["at"]) or sink["at"] < entry.ts for sink in stated):
        return [SINK_TIMES], []
    return [], [SINK_TIMES]


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value.endswith("Z") and milliseconds(value) is not None


_SERVER_COMPARES = frozenset(
    {
        "receiptHash",
        "receiptId",
        "type",
        "confirmationCode",
        "audit.eventId",
        "audit.prevHash",
        "audit.streamPrevHash",
        "audit.immutablePayloadHash",
        "audit.immutableMode",
    }
)


def _server_accepts(wrong: list[str], audit: dict[str, Any], entry: AuditEntry) -> bool:
    """What the worker's POST /api/audit/receipts/verify would answer, by the fields that it
    compares.

    The two predecessors that it looks up are taken to be in its storage: the entry itself names
    them.
    """
    if _SERVER_COMPARES & set(wrong):
        return False
    return "audit.immutableSinks" not in wrong or _sinks_match_but_times(audit, entry)


def _sinks_match_but_times(audit: dict[str, Any], entry: AuditEntry) -> bool:
    def bare(sinks: Any) -> list[tuple[Any, Any]]:
        return (
            [(sink.get("sink"), sink.get("ref")) for sink in sinks if isinstance(sink, dict)]
            if isinstance(sinks, list)
            else []
        )

    return entry.immutable is not None and bare(audit.get("immutableSinks")) == bare(
        entry.immutable.get("sinks")
    )


def check_receipts(
    rows: Iterable[tuple[dict[str, Any], Place]], records: AuditRecords
) -> list[ReceiptCheck]:
    """Check every receipt; ascending by receipt id, then by what is wrong. Those that a tool
    changed on the way are read as they were.
    """
    checks = []
    for group in _by_part(rows).values():
        readings = [reading_of_row(receipt, _holds) for receipt, _ in group]
        is_altered = restored(readings) is not None
        for (receipt, place), reading in zip(group, readings, strict=True):
            checks.append(
                check_receipt(
                    reading.value if is_altered and reading is not None else receipt, records, place
                )
            )
    return sorted(checks, key=lambda c: (c.receipt_id, c.wrong))


def altered_receipts(rows: Iterable[tuple[dict[str, Any], Place]]) -> dict[str, Alteration]:
    """What a tool did to the receipts of each part of the case, where it did to all of them."""
    done = {
        part: restored(reading_of_row(receipt, _holds) for receipt, _ in group)
        for part, group in _by_part(rows).items()
    }
    return {part: alteration for part, alteration in done.items() if alteration is not None}


def _by_part(
    rows: Iterable[tuple[dict[str, Any], Place]],
) -> dict[str, list[tuple[dict[str, Any], Place]]]:
    found: dict[str, list[tuple[dict[str, Any], Place]]] = defaultdict(list)
    for receipt, place in rows:
        found[place.part].append((receipt, place))
    return found


def _holds(receipt: Any) -> bool:
    return isinstance(receipt, dict) and canonical.receipt_hash(receipt) == receipt.get(
        "receiptHash"
    )
