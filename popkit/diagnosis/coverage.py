"""What was checked and what was not, row by row: every list, account, export and status that is
missing or partial, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from popkit.audit.entries import LIST
from popkit.chain.links import GrantChain
from popkit.diagnosis.result import Coverage, Row
from popkit.evidence.collection import incomplete_addresses, left_out_by_worker, missing_parts
from popkit.evidence.layout import AUDIT_LOGS, ENDPOINTS
from popkit.evidence.lines import logical_name
from popkit.facts import Facts
from popkit.protocol.pda import pop_config_address, vault_address
from popkit.rules.case.evidence import problem_named
from popkit.rules.case.transactions import missing_signatures
from popkit.rules.cutover.points import CANNOT_TELL
from popkit.rules.model import Finding
from popkit.rules.sides import CaseSide
from popkit.texts import Text, sentence
from popkit.verdict.judgement import Judgement
from popkit.wording import ACCEPTED_CLAIMS, RECEIPTS, ROWS

CHECKED = "checked"
OWN_ROWS = frozenset(
    {"evidence_unreadable", "transaction_missing", "worker_records_missing", "signer_unknown"}
)
"""Findings of which the coverage has a row of its own."""

_ALL_RECORDED = Text(
    "whether every accepted proof is recorded: the export ends early",
    "受理されたすべての proof の記録の有無（エクスポートが途中で終わっています）",
)
_LISTED_ALONE = Text(
    "transactions that the node listed and that are not in the case",
    "ノードの一覧にあり、ケースにないトランザクション",
)
_ANOTHER_MOMENT = Text(
    "when the accounts were read: collected_at does not fit their slot",
    "アカウントの読み取り時刻（collected_at がスロットと合いません）",
)
_NO_POP_STATE = Text(
    "the PopState account was not collected", "PopState アカウントが収集されていません"
)
_NO_SLOT = Text(
    "how old PopState is: the node gave no slot with it",
    "PopState がいつのものか（ノードがスロットを返していません）",
)
_OLD_POP_STATE = Text(
    "PopState against the newest claims: it was read before they landed",
    "PopState と最新の claim の照合（PopState は claim が取り込まれる前に読み取られています）",
)
_NO_GRANT = Text(
    "the grant's account: its terms, and whether it is paused",
    "grant のアカウント（条件と一時停止の有無）",
)
_NO_VAULT = Text(
    "the vault: whether it holds enough for the next claim",
    "vault（次の claim に足りる残高の有無）",
)
_NO_POP_CONFIG = Text(
    "the pop-config account: which signer it names",
    "pop-config アカウント（設定されている signer）",
)
_NO_RECEIPTS = Text("the receipt accounts of {claims}", "{claims}のレシートアカウント")
_NO_OWN_LIST = Text(
    "whether transactions are missing: the grant's own list of signatures was not collected",
    "トランザクションの欠落の有無（grant 自体の署名一覧が収集されていません）",
)
_UNSEEN_CLAIMS = Text(
    "the claims of {receipts}: the case holds no transaction of them",
    "{receipts}に対応する claim（ケースにトランザクションがありません）",
)
_STORAGE = Text(
    "the worker's storage: heads, history and both copies of its entries",
    "worker のストレージ（head、履歴、エントリの 2 つの写し）",
)
_NO_STORAGE = Text(
    "the worker's storage: no export was collected",
    "worker のストレージ（エクスポートが収集されていません）",
)
_PART_OF_BUCKET = Text(
    "the immutable bucket: the export is not whole",
    "監査バケット（エクスポートが完全ではありません）",
)
_NAMELESS = Text(
    "{rows} of the worker's records that state no hash", "ハッシュの記載がない worker の記録 {rows}"
)
_BEFORE_OLDEST = Text(
    "the worker's audit chain before its oldest unbroken entry",
    "途切れずに遡れる最古のエントリより前の、worker の監査チェーン",
)
_RECORD_CHECKED = Text(
    "the record of a cutover against the chain", "切り替えの記録とチェーンの照合"
)
_OF_RECORD = Text("the record of a cutover: {what} ({why})", "切り替えの記録: {what}（{why}）")
_OF_OTHERS = Text(
    "the record of a cutover: it is about {grant}, which is no grant of this case",
    "切り替えの記録（対象の {grant} はこのケースの grant ではありません）",
)


def coverage_of(side: CaseSide, judgements: list[Judgement], findings: list[Finding]) -> Coverage:
    """What was checked and what was not; it does not depend on the order of lines."""
    facts = side.facts
    rows = [*_chain_rows(facts), *_worker_rows(facts), *_cutover_rows(side)]
    coverage = Coverage(
        [row for row in rows if row.why == CHECKED], [row for row in rows if row.why != CHECKED]
    )
    missing = coverage.not_checked
    missing += [
        Row("claim_records", doubt.grant, doubt.why, doubt.detail)
        for doubt in side.reconciler.doubts
    ]
    for judgement in judgements:
        missing += _grant_rows(facts, judgement.line.chain)
        if judgement.line.unrecorded_beyond:
            missing.append(Row("storage", judgement.grant, "partial", _ALL_RECORDED()))
        missing += [
            Row("verdict", judgement.grant, "undecided", text)
            for text in judgement.missing_evidence
        ]
    missing += _problem_rows(facts)
    missing += _stated(facts)
    own = OWN_ROWS if facts.signer_now is None else OWN_ROWS - {"signer_unknown"}
    missing += [
        Row(_part_of(f), f.grant, f.code, f.not_checked)
        for f in findings
        if f.not_checked and f.code not in own
    ]
    return coverage


def _row(part: str, have: bool, checked: Text, missing: Text, why: str = "not_collected") -> Row:
    return Row(part, None, CHECKED, checked()) if have else Row(part, None, why, missing())


def _chain_rows(facts: Facts) -> Iterator[Row]:
    """The parts that a Solana node gives."""
    evidence = facts.evidence
    yield _row(
        "manifest",
        evidence.digests is not None,
        Text("every file against the manifest", "マニフェストに対するすべてのファイル"),
        Text(
            "that the files are those collected: the case has no manifest",
            "ファイルが収集時のままかどうか（ケースにマニフェストがありません）",
        ),
    )
    yield _row(
        "transactions",
        evidence.transactions is not None,
        Text(
            "transactions: signatures, proofs, links, errors",
            "トランザクション（署名、proof、リンク、エラー）",
        ),
        Text(
            "claims: no transactions were collected",
            "claim（トランザクションが収集されていません）",
        ),
    )
    yield _row(
        "lists",
        evidence.signatures is not None,
        Text(
            "the node's list of signatures against its transactions",
            "ノードの署名一覧とトランザクションの照合",
        ),
        Text(
            "whether transactions are missing: no list of signatures was collected",
            "トランザクションの欠落の有無（署名一覧が収集されていません）",
        ),
    )
    yield _row(
        "accounts",
        evidence.accounts is not None,
        Text(
            "PopState, receipts, terms and signers against accounts",
            "アカウントに対する PopState、レシート、条件、signer",
        ),
        Text(
            "heads and receipts against accounts: no account was collected",
            "アカウントに対する head とレシート（アカウントが収集されていません）",
        ),
    )
    if missing_signatures(facts):
        yield Row("transactions", None, "not_given", _LISTED_ALONE())
    if facts.clock.disagrees:
        yield Row("accounts", None, "another_moment", _ANOTHER_MOMENT())


def _grant_rows(facts: Facts, chain: GrantChain) -> Iterator[Row]:
    """The accounts and the list of one grant."""
    grant, accounts = chain.grant, facts.accounts
    if facts.evidence.accounts is not None:
        if not chain.state.known:
            yield Row("pop_state", grant, "not_collected", _NO_POP_STATE())
        elif chain.state.slot is None:
            yield Row("pop_state", grant, "no_slot", _NO_SLOT())
        elif chain.state_is_stale:
            yield Row("pop_state", grant, "older", _OLD_POP_STATE())
        if grant not in accounts:
            yield Row("grant_account", grant, "not_collected", _NO_GRANT())
        if vault_address(grant, facts.header.program_id) not in accounts:
            yield Row("vault", grant, "not_collected", _NO_VAULT())
        authority = facts.history.authority_of(grant)
        if (
            authority is None
            or pop_config_address(authority, facts.header.program_id) not in accounts
        ):
            yield Row("pop_config", grant, "not_collected", _NO_POP_CONFIG())
        lacking = sum(
            not facts.is_collected_since(attempt.receipt, attempt.slot)
            for attempt in chain.accepted
        )
        if lacking:
            yield Row(
                "receipts", grant, "not_collected", _NO_RECEIPTS(claims=ACCEPTED_CLAIMS(lacking))
            )
    if facts.evidence.signatures is not None and grant not in (facts.history.listed or ()):
        yield Row("lists", grant, "not_collected", _NO_OWN_LIST())
    unseen = len(facts.receipts_without_claims(grant))
    if unseen:
        yield Row("claims", grant, "not_given", _UNSEEN_CLAIMS(receipts=RECEIPTS(unseen)))


def _worker_rows(facts: Facts) -> Iterator[Row]:
    """The parts that the worker, its operator and wallets give."""
    evidence, audit = facts.evidence, facts.audit
    yield _row(
        "audit_entries",
        audit.is_known,
        Text(
            "the worker's audit entries, recomputed and linked",
            "worker の監査エントリ（再計算とリンクの確認）",
        ),
        Text(
            "the worker's records: none was collected, so that proofs that were never sent do not "
            "show",
            "worker の記録（収集されていないため、送信されなかった proof は分かりません）",
        ),
    )
    if audit.is_known and LIST not in audit.sources:
        yield Row("audit_list", None, "not_collected", AUDIT_LOGS.what())
    yield _row(
        "bucket",
        evidence.bucket is not None,
        Text("bucket objects against their entries", "バケットのオブジェクトとエントリの照合"),
        Text(
            "the immutable bucket: no export was collected",
            "監査バケット（エクスポートが収集されていません）",
        ),
    )
    if evidence.storage is not None:
        yield Row("storage", None, CHECKED, _STORAGE())
    elif not audit.reaches_genesis:
        yield Row("storage", None, "not_collected", _NO_STORAGE())
    yield _row(
        "ticket_receipts",
        evidence.receipts is not None or evidence.storage is not None,
        Text("ticket receipts against their entries", "参加券レシートとエントリの照合"),
        Text("ticket receipts: none was collected", "参加券レシート（収集されていません）"),
    )
    yield _row(
        "reports",
        evidence.reports is not None,
        Text("wallets' reports", "ウォレットの報告"),
        Text("wallets' reports: none was collected", "ウォレットの報告（収集されていません）"),
    )
    for endpoint in ENDPOINTS:
        is_there = endpoint.name in evidence.answers or endpoint.file in evidence.files
        if endpoint.is_row and not is_there:
            yield Row(endpoint.name, None, "not_collected", endpoint.what())
    yield _signer_row(facts)
    if facts.tampering.export_is_partial:
        yield Row("bucket", None, "partial", _PART_OF_BUCKET())
    nameless = sum(source.nameless for source in audit.sources.values())
    if nameless:
        yield Row("audit_entries", None, "unreadable", _NAMELESS(rows=ROWS(nameless)))
    if audit.is_known and not audit.reaches_genesis:
        yield Row("audit_entries", None, "partial", _BEFORE_OLDEST())


def _signer_row(facts: Facts) -> Row:
    status = facts.status
    if status.signer is not None:
        return Row(
            "signer",
            None,
            CHECKED,
            sentence(
                "the worker's signer against pop-config", "worker の signer と pop-config の照合"
            ),
        )
    if not status.collected:
        return Row(
            "signer",
            None,
            "not_collected",
            sentence(
                "the worker's present signer: no status page was collected",
                "worker の現在の signer（ステータスが収集されていません）",
            ),
        )
    if status.configured is False:
        none = sentence(
            "the worker's present signer: its status says that none is configured",
            "worker の現在の signer（ステータスによれば未設定です）",
        )
        return Row("signer", None, "not_configured", none)
    hidden = sentence(
        "the worker's present signer: its status was collected and names none",
        "worker の現在の signer（収集したステータスに記載がありません）",
    )
    return Row("signer", None, "hidden", hidden)


def _cutover_rows(side: CaseSide) -> Iterator[Row]:
    """Records of cutovers that were held against the chain, and what of them the case cannot tell."""
    for one in side.declared:
        if one.grant is None:
            yield Row("cutover", None, "another_grant", _OF_OTHERS(grant=one.record.old.grant))
            continue
        yield Row("cutover", one.grant, CHECKED, _RECORD_CHECKED())
        for point in one.points:
            if point.result == CANNOT_TELL:
                why = _OF_RECORD(what=point.what, why=point.shown)
                yield Row("cutover", one.grant, "cannot_tell", why)


def _problem_rows(facts: Facts) -> Iterator[Row]:
    for problem in facts.problems:
        if problem.code not in ("no_manifest", "time_in_milliseconds"):
            file = logical_name(problem.place.file)
            yield Row(
                file,
                None,
                problem.code,
                sentence(
                    "{file}: {problem}",
                    "{file}: {problem}",
                    file=file,
                    problem=problem_named(problem.code),
                ),
            )


def _part_of(finding: Finding) -> str:
    return finding.where[0]


def _stated(facts: Facts) -> Iterable[Row]:
    """What the collector itself states to be missing; what the worker leaves out matters only where
    nothing else reaches further back.
    """
    for text in incomplete_addresses(facts.header).values():
        yield Row(
            "lists", None, "incomplete", sentence("{text}", "収集時の記録「{text}」", text=text)
        )
    for text in missing_parts(facts.header):
        yield Row(
            "collection",
            None,
            "not_collected",
            sentence("not collected: {text}", "収集されていないもの「{text}」", text=text),
        )
    if not facts.audit.reaches_genesis:
        for text in left_out_by_worker(facts.header):
            row = sentence(
                "left out by the worker: {text}", "worker が省いたもの「{text}」", text=text
            )
            yield Row("audit_list", None, "left_out", row)
