"""What was checked and what was not, row by row: every list, account, export and status that is missing or partial, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from popkit.audit.entries import LIST
from popkit.chain import GrantChain
from popkit.diagnosis.evidence_findings import listed_and_given, logical_name
from popkit.diagnosis.facts import Facts
from popkit.diagnosis.judge import Judgement
from popkit.diagnosis.result import Coverage, Finding, Row
from popkit.evidence.collection import incomplete_addresses, left_out_by_worker, missing_parts
from popkit.protocol.pda import pop_config_address, vault_address
from popkit.wording import counted

CHECKED = "checked"
OWN_ROWS = frozenset({"evidence_unreadable", "transaction_missing", "worker_records_missing", "signer_unknown"})
"""Findings of which the coverage has a row of its own."""
_STATUSES = {
    "pop-status": "the worker's PoP status",
    "runtime-status": "the worker's runtime status, which says when it was taken",
    "audit-status": "which sinks the worker's audit chain has",
    "events": "the worker's list of events: titles and links to grants",
}


def coverage_of(facts: Facts, judgements: list[Judgement], more: list[Row], findings: list[Finding]) -> Coverage:
    """What was checked and what was not; it does not depend on the order of lines."""
    rows = [*_chain_rows(facts), *_worker_rows(facts)]
    coverage = Coverage([row for row in rows if row.why == CHECKED], [row for row in rows if row.why != CHECKED])
    missing = coverage.not_checked
    missing += more
    for judgement in judgements:
        missing += _grant_rows(facts, judgement.line.chain)
        if judgement.line.unrecorded_beyond:
            missing.append(Row("storage", judgement.grant, "partial", "whether every accepted proof is recorded: the export ends early"))
        missing += [Row("verdict", judgement.grant, "undecided", text) for text in judgement.missing_evidence]
    missing += _problem_rows(facts)
    missing += _stated(facts)
    own = OWN_ROWS if facts.signer_now is None else OWN_ROWS - {"signer_unknown"}
    missing += [Row(_part_of(f), f.grant, f.code, str(f.not_checked)) for f in findings if f.not_checked and f.code not in own]
    return coverage


def _row(part: str, have: bool, checked: str, missing: str, why: str = "not_collected") -> Row:
    return Row(part, None, CHECKED, checked) if have else Row(part, None, why, missing)


def _chain_rows(facts: Facts) -> Iterator[Row]:
    """The parts that a Solana node gives."""
    evidence = facts.evidence
    yield _row(
        "manifest", evidence.digests is not None, "every file against the manifest",
        "that the files are those collected: the case has no manifest",
    )  # fmt: skip
    yield _row(
        "transactions", evidence.transactions is not None, "transactions: signatures, proofs, links, errors",
        "claims: no transactions were collected",
    )  # fmt: skip
    yield _row(
        "lists", evidence.signatures is not None, "the node's list of signatures against its transactions",
        "whether transactions are missing: no list of signatures was collected",
    )  # fmt: skip
    yield _row(
        "accounts", evidence.accounts is not None, "PopState, receipts, terms and signers against accounts",
        "heads and receipts against accounts: none were collected",
    )  # fmt: skip
    if any(f.code == "transaction_missing" for f in listed_and_given(facts)):
        yield Row("transactions", None, "not_given", "transactions that the node listed and that are not in the case")
    if facts.clock.disagrees:
        yield Row("accounts", None, "another_moment", "when the accounts were read: collected_at does not fit their slot")


def _grant_rows(facts: Facts, chain: GrantChain) -> Iterator[Row]:
    """The accounts and the list of one grant."""
    grant, accounts = chain.grant, facts.accounts
    if facts.evidence.accounts is not None:
        if not chain.state.known:
            yield Row("pop_state", grant, "not_collected", "the PopState account was not collected")
        elif chain.state.slot is None:
            yield Row("pop_state", grant, "no_slot", "how old PopState is: the node gave no slot with it")
        elif chain.state_is_stale:
            yield Row("pop_state", grant, "older", "PopState against the newest claims: it was read before they landed")
        if grant not in accounts:
            yield Row("grant_account", grant, "not_collected", "the grant's account: its terms, and whether it is paused")
        if vault_address(grant, facts.header.program_id) not in accounts:
            yield Row("vault", grant, "not_collected", "the vault: whether it holds enough for the next claim")
        authority = facts.history.authority_of(grant)
        if authority is None or pop_config_address(authority, facts.header.program_id) not in accounts:
            yield Row("pop_config", grant, "not_collected", "the pop-config account: which signer it names")
        lacking = sum(not facts.is_collected_since(attempt.receipt, attempt.slot) for attempt in chain.accepted)
        if lacking:
            yield Row("receipts", grant, "not_collected", f"the receipt accounts of {counted(lacking, 'accepted claim')}")
    if facts.evidence.signatures is not None and grant not in (facts.history.listed or ()):
        yield Row("lists", grant, "not_collected", "whether transactions are missing: the grant's own list of signatures was not collected")
    unseen = len(facts.receipts_without_claims(grant))
    if unseen:
        yield Row("claims", grant, "not_given", f"the claims of {counted(unseen, 'receipt')} that no transaction in the case is")


def _worker_rows(facts: Facts) -> Iterator[Row]:
    """The parts that the worker, its operator and wallets give."""
    evidence, audit = facts.evidence, facts.audit
    yield _row(
        "audit_entries", audit.is_known, "the worker's audit entries, recomputed and linked",
        "the worker's records: none were collected, so proofs that were never sent do not show",
    )  # fmt: skip
    if audit.is_known and LIST not in audit.sources:
        yield Row("audit_list", None, "not_collected", "the worker's newest fifty entries (audit-logs)")
    yield _row(
        "bucket", evidence.bucket is not None, "bucket objects against their entries", "the immutable bucket: no export was collected"
    )
    if evidence.storage is not None:
        yield Row("storage", None, CHECKED, "the worker's storage: heads, history and both copies of its entries")
    elif not audit.reaches_genesis:
        yield Row("storage", None, "not_collected", "the worker's storage: no export was collected")
    yield _row(
        "ticket_receipts", evidence.receipts is not None or evidence.storage is not None,
        "ticket receipts against their entries", "ticket receipts: none were collected",
    )  # fmt: skip
    yield _row("reports", evidence.reports is not None, "wallets' reports", "wallets' reports: none were collected")
    for name, what in _STATUSES.items():
        if name not in evidence.answers and f"worker/{name}.json" not in evidence.files:
            yield Row(name, None, "not_collected", what)
    yield _signer_row(facts)
    if facts.tampering.export_is_partial:
        yield Row("bucket", None, "partial", "the immutable bucket: the export is not whole")
    nameless = sum(source.nameless for source in audit.sources.values())
    if nameless:
        yield Row("audit_entries", None, "unreadable", f"{counted(nameless, 'row')} of the worker's records that state no hash")
    if audit.is_known and not audit.reaches_genesis:
        yield Row("audit_entries", None, "partial", "the worker's audit chain before its oldest unbroken entry")


def _signer_row(facts: Facts) -> Row:
    status = facts.status
    if status.signer is not None:
        return Row("signer", None, CHECKED, "the worker's signer against pop-config")
    if not status.collected:
        return Row("signer", None, "not_collected", "the worker's present signer: no status page was collected")
    if status.configured is False:
        return Row("signer", None, "not_configured", "the worker's present signer: its status says that none is configured")
    return Row("signer", None, "hidden", "the worker's present signer: its status was collected and names none")


def _problem_rows(facts: Facts) -> Iterator[Row]:
    for problem in facts.evidence.problems:
        if problem.code not in ("no_manifest", "time_in_milliseconds"):
            file = logical_name(problem.place.file)
            yield Row(file, None, problem.code, f"{file}: {problem.code.replace('_', ' ')}")


def _part_of(finding: Finding) -> str:
    return finding.where[0]


def _stated(facts: Facts) -> Iterable[Row]:
    """What the collector itself states to be missing; what the worker leaves out matters only where nothing else reaches further back."""
    yield from (Row("lists", None, "incomplete", text) for text in incomplete_addresses(facts.header).values())
    yield from (Row("collection", None, "not_collected", f"not collected: {text}") for text in missing_parts(facts.header))
    if not facts.audit.reaches_genesis:
        yield from (Row("audit_list", None, "left_out", f"left out by the worker: {text}") for text in left_out_by_worker(facts.header))
