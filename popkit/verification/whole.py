"""Checks of the case itself."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.errors import CaseUnreadable
from popkit.evidence.custody import check_custody
from popkit.evidence.layout import CUSTODY
from popkit.facts import Facts
from popkit.rules.declared import declared_cutovers
from popkit.rules.evidence_findings import evidence_findings
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.texts import Listed, Text
from popkit.verification.model import NONE, Check

SEALED = Text("every file is the one that was sealed", "すべてのファイルが封印時のものであること")
MANIFEST_DIGESTS = Text("each file's SHA-256 is the one in the manifest", "各ファイルの SHA-256 がマニフェストの値です")
NO_MANIFEST = Text("the case has no manifest", "ケースにマニフェストがありません")
UNCONTRADICTED = Text("no two answers contradict each other", "互いに矛盾する応答がないこと")
ONE_VALUE = Text("design §4: one value per key", "設計 §4: キーごとに 1 つの値")
CUSTODY_HOLDS = Text("the custody record holds", "証拠保全の記録が正しいこと")
CUSTODY_WANTED = Text(
    "each line names the one before it, and the case holds what each says was kept",
    "各行が直前の行を指し、保存したとされるものがケースにあります",
)
CUSTODY_IS_SO = Text("each line does, and the case holds all of it", "そのとおりで、すべてケースにあります")
CUSTODY_GONE = Text(
    "case.json names a custody record, which the case does not hold as it was written; unpack {file}, or collect again",
    "case.json が示す証拠保全の記録が、書かれたままの形ではケースにありません。{file} を展開するか、収集し直してください",
)
CUSTODY_RULE = Text(
    "popkit collect writes it; it shows no more than that the record was not altered since",
    "`popkit collect` が記録します。以後に変更されていないことだけを示します",
)
CUTOVER_AGREES = Text("nothing on the chain contradicts the record of a cutover", "切り替えの記録と矛盾するものがチェーンにないこと")
CUTOVER_RULE = Text(
    "design §8: a record states what its authors did; the chain decides", "設計 §8: 記録は作成者の申告であり、正否はチェーンで決まります"
)


def case_checks(facts: Facts) -> Iterator[Check]:
    """The case's own seal; a case whose seal is broken is not opened at all."""
    sealed = facts.evidence.digests is not None
    observed = MANIFEST_DIGESTS if sealed else NO_MANIFEST
    where = ("manifest-sha256.txt", "")
    yield Check(SEALED, HOLDS if sealed else CANNOT_TELL, MANIFEST_DIGESTS, observed, where, "design §4")
    contradictions = tuple(" ".join(filter(None, f.where)) for f in evidence_findings(facts) if f.severity == "critical")
    status = VIOLATED if contradictions else HOLDS
    yield Check(UNCONTRADICTED, status, NONE, Listed(contradictions) if contradictions else NONE, ("rpc", ""), ONE_VALUE)
    yield from _custody(facts)
    for one in declared_cutovers(facts):
        if one.grant is not None:
            wrong = tuple(point.key for point in one.contradicted)
            status = VIOLATED if wrong else HOLDS
            yield Check(
                CUTOVER_AGREES, status, NONE, Listed(wrong) if wrong else NONE, (one.given.file, one.record.old.grant), CUTOVER_RULE
            )


def _custody(facts: Facts) -> Iterator[Check]:
    """The custody record of a collected case; a case that names none says nothing of how it came to be.

    It names bytes of files as they were written: a record that somebody packed, or left out, checks nothing, and that is said.
    """
    where = (CUSTODY, "")
    if CUSTODY not in facts.evidence.files:
        packed = next((name for name in (f"{CUSTODY}.zst", f"{CUSTODY}.gz") if name in facts.evidence.files), None)
        if packed is not None or "custody" in facts.header.sources:
            gone = CUSTODY_GONE(file=packed or CUSTODY)
            yield Check(CUSTODY_HOLDS, CANNOT_TELL, CUSTODY_WANTED, gone, where, CUSTODY_RULE)
        return
    try:
        breaks = check_custody(facts.evidence.root)
    except CaseUnreadable as unreadable:
        yield Check(CUSTODY_HOLDS, CANNOT_TELL, CUSTODY_WANTED, str(unreadable), where, CUSTODY_RULE)
        return
    observed = Listed(tuple(map(str, breaks[:3]))) if breaks else CUSTODY_IS_SO
    yield Check(CUSTODY_HOLDS, VIOLATED if breaks else HOLDS, CUSTODY_WANTED, observed, where, CUSTODY_RULE)
