"""A diagnosis as text for a terminal: verdict first, then what an engineer at night asks next; in
English or Japanese.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

from popkit.diagnosis.advice import ALREADY_CUT_OVER
from popkit.diagnosis.began import since
from popkit.diagnosis.result import AUDIT_VERDICTS, Diagnosis, GrantDiagnosis, ascending
from popkit.rules.model import SEVERITIES, Finding
from popkit.text import Line, page, shown
from popkit.texts import Language, Listed, Moment, Sentence, Text, sentence, speak
from popkit.verdict.words import VERDICT_WORDS
from popkit.wording import CLAIMERS, CRITICAL_FINDINGS

SYMBOLS = {
    "broken": "✗",
    "inconclusive": "?",
    "in_flight": "…",
    "recovered": "✓",
    "intact": "✓",
    "unused": "-",
}
_COLOURS = {
    "broken": "31",
    "inconclusive": "33",
    "in_flight": "33",
    "recovered": "32",
    "intact": "32",
    "unused": "2",
}
SHOWN = 6
"""How many of a list a terminal shows; --all and --json have them all."""
MOST_FINDINGS = 20
LABEL_WIDTH: dict[Language, int] = {"en": 11, "ja": 12}
"""Columns of a terminal that the labels of a grant take."""
AUDIT_WIDTH = 14

_ABOUT = Text(
    "case {case}, as of {at}, exit code {exit}", "ケース {case}、{at} 時点、終了コード {exit}"
)
_GRANT = Text("grant {grant}", "grant {grant}")
_BUT = Text("{mark}, BUT {findings}", "{mark}、ただし {findings}があります")
_CRITICAL = Text("critical findings", "critical の所見")
_MORE = Text("{items} and {more} more", "{items}、ほか {more} 件")
_BECAUSE, _SINCE = Text("because", "理由"), Text("since", "発生時期")
_LAST_GOOD, _FIRST_BAD = Text("last good", "直近正常点"), Text("first bad", "最初の異常")
_WAITS, _NOT_SEEN = Text("waits for", "待機対象"), Text("not seen", "証拠になし")
_CAUSE, _CAN_HEAL = Text("cause", "原因"), Text("can heal", "回復の見込み")
_AFFECTED, _DO_NOW = Text("affected", "影響範囲"), Text("do now", "対応")
_REPLACED_BY, _REPLACES = Text("replaced by", "切り替え先"), Text("replaces", "切り替え元")
_CUT_OVER = Text("cut over", "切り替え")
_LANDED = Text("slot {slot}, {at}, receipt {receipt}", "スロット {slot}、{at}、レシート {receipt}")
_KNOWN_FROM = {
    "worker": Text(
        "not on chain; known from the worker's records", "オンチェーンになし（worker の記録による）"
    ),
    "client": Text(
        "not on chain; known from the wallets' reports",
        "オンチェーンになし（ウォレットの報告による）",
    ),
    "chain": Text(
        "not on chain; known from what names it there",
        "オンチェーンになし（チェーン上の参照による）",
    ),
}
_NOT_IN_CASE = {
    "worker": Text(
        "not in the case; known from the worker's records", "ケースになし（worker の記録による）"
    ),
    "client": Text(
        "not in the case; known from the wallets' reports", "ケースになし（ウォレットの報告による）"
    ),
    "chain": Text(
        "not in the case; known from what names it on chain",
        "ケースになし（チェーン上の参照による）",
    ),
}
_NO_ERROR = Text("the refusal is not on record", "拒否の記録なし")
_ENTRY, _FOLLOWS = (
    Text("{before}, entry {entry}", "{before}、エントリ {entry}"),
    Text("{before}, follows {entry}", "{before}、親 {entry}"),
)
_NOBODY, _NOT_KNOWN = Text("nobody", "該当者なし"), Text("not known", "不明")
_AND_MORE = Text("and {more} more", "ほか {more} 人")
_HEALING = {
    "broken": Text(
        "no: the program will accept no proof that the worker issues now",
        "なし: worker が今後発行する proof は受理されません",
    ),
    "in_flight": Text(
        "yes, until {until}, that second included", "あり: {until} まで（その秒を含む）"
    ),
    "inconclusive": Text("cannot tell", "判断できません"),
    "sound": Text("nothing to heal", "回復の必要なし"),
}
_AUDIT = Text(
    "Audit chain and ticket receipts: {verdict} ({checked} recomputed)",
    "監査チェーンと参加券レシート: {verdict}、{checked} 件を再計算",
)
_AUDIT_ROWS = {
    "edited": Text("edited", "改変"),
    "removed": Text("removed", "欠落"),
    "edited_objects": Text("bucket edited", "バケット改変"),
    "missing_objects": Text("bucket missing", "バケット欠落"),
    "bad_receipts": Text("bad receipts", "不正レシート"),
    "server_accepts": Text("server accepts", "検査を通過"),
    "unbacked_records": Text("unbacked", "裏付けなし"),
    "unsynced_claims": Text("unsynced", "未同期"),
}
_FINDINGS = Text(
    "Findings: {critical} critical, {warning} warning, {info} info",
    "所見: critical {critical} 件、warning {warning} 件、info {info} 件",
)
_AT, _EXPECTED = (
    Text("at {where}", "場所: {where}"),
    Text("expected {expected}", "期待: {expected}"),
)
_MORE_CRITICAL = Text(
    "and {more} more critical ones: --all lists them",
    "ほかに critical が {more} 件あります（--all で表示）",
)
_HINT = Text(
    "popkit explain CODE says what each means.",
    "各コードの意味は `popkit explain CODE --lang ja` で確認できます。",
)
_HINT_ALL = Text(
    "popkit diagnose CASE --all lists every finding; popkit explain CODE says what each means.",
    "`popkit diagnose CASE --all` ですべての所見を、`popkit explain CODE --lang ja` で各コードの意味を確認できます。",
)
_ALL_CHECKED = Text(
    "Coverage: everything in the case was checked.",
    "カバレッジ: ケースの内容をすべて検査しました。",
)
_NOT_CHECKED = Text("Coverage: not checked:", "カバレッジ: 検査していないもの:")
_UNCHECKED = Text("not checked: {what}", "未検査: {what}")


def diagnosis_text(
    diagnosis: Diagnosis, colour: bool = False, *, language: Language = "en", every: bool = False
) -> str:
    """The whole answer as text, ending with a line end; `every` lists all findings, and lists in
    full.
    """
    return page(_Answer(diagnosis, colour, language, every).lines())


class _Answer:
    """The lines of one answer in one language."""

    def __init__(self, diagnosis: Diagnosis, colour: bool, language: Language, every: bool) -> None:
        self.diagnosis, self.colour, self.language = diagnosis, colour, language
        self.most = None if every else SHOWN
        self.every = every

    def say(self, value: object) -> str:
        """A text or a sentence in the language of the answer."""
        return speak(value, self.language)

    def lines(self) -> list[str | Line]:
        """The case's headline, its grants (the worst first), audit chain, findings and coverage."""
        answer = self.diagnosis
        critical = answer.severities["critical"]
        but = CRITICAL_FINDINGS(critical) if answer.verdict != "broken" and critical else None
        about = _ABOUT(case=shown(answer.case), at=Moment(answer.as_of), exit=answer.exit_code)
        lines: list[str | Line] = [self._headline(answer.verdict, f"   {self.say(about)}", but)]
        marked = answer.critical_findings
        for grant in sorted(answer.grants, key=lambda g: (list(SYMBOLS).index(g.verdict), g.grant)):
            lines += ["", *self._grant_lines(grant, grant.grant in marked)]
        return [*lines, "", *self._audit_lines(), *self._finding_lines(), *self._coverage_lines()]

    def _headline(self, verdict: str, about: str, but: object = None) -> Line:
        """A verdict with its symbol; one with critical findings wears neither the symbol nor the
        colour of success.
        """
        word = VERDICT_WORDS[verdict].mark
        mark = (
            f"! {self.say(_BUT(mark=word, findings=but))}"
            if but is not None
            else f"{SYMBOLS[verdict]} {self.say(word)}"
        )
        colour = "31" if but is not None else _COLOURS[verdict]
        return Line(mark, about, f"1;{colour}" if self.colour else "")

    def _row(self, label: Text | None, value: object) -> str:
        name = self.say(label) if label is not None else ""
        return f"  {padded(name, LABEL_WIDTH[self.language])} {self.say(value)}"

    def _rows(self, label: Text, values: Iterable[object]) -> list[str]:
        """Several values below one label."""
        return [self._row(None if i else label, value) for i, value in enumerate(values)]

    def _some(self, items: list[str], width: int | None = None) -> Sentence:
        """The first of some hashes or keys, and how many more there are."""
        first = ", ".join(item[:width] for item in items[: self.most])
        more = len(items[self.most :]) if self.most is not None else 0
        return (
            _MORE(items=first, more=more) if more else sentence("{items}", "{items}", items=first)
        )

    def _grant_lines(self, g: GrantDiagnosis, marked: bool) -> list[str | Line]:
        title = ", ".join(shown(title) for title in g.titles)
        about = f"  {self.say(_GRANT(grant=g.grant))}" + (f"  ({title})" if title else "")
        lines: list[str | Line] = [
            self._headline(
                g.verdict, about, _CRITICAL if marked and g.verdict != "broken" else None
            )
        ]
        lines.append(self._row(_BECAUSE, g.judgement.because))
        lines += self._rows(_SINCE, since(g.began) if g.began is not None else [])
        lines += self._rows(_LAST_GOOD, self._last_good(g))
        lines += self._rows(_FIRST_BAD, self._first_bad(g))
        lines += [self._row(_WAITS, self._some(g.missing_entries, 16))] if g.missing_entries else []
        lines += (
            [self._row(_NOT_SEEN, self._some(g.unseen_entries, 16))] if g.unseen_entries else []
        )
        lines += [
            self._row(_CAUSE, f"{cause.name}: {self.say(cause.because)}") for cause in g.causes
        ]
        lines.append(self._row(_CAN_HEAL, self._healing(g)))
        lines += self._rows(_AFFECTED, self._people(g.affected_claimers))
        lines += [line for one in g.declared for line in self._rows(_CUT_OVER, one.lines)]
        declared = {one.successor for one in g.declared}
        lines += (
            [self._row(_REPLACED_BY, g.superseded_by)]
            if g.superseded_by and g.superseded_by not in declared
            else []
        )
        lines += [self._row(_REPLACES, g.cutover_of)] if g.cutover_of else []
        is_over = g.superseded_by is not None and g.verdict == "broken"
        return [*lines, *self._rows(_DO_NOW, [ALREADY_CUT_OVER] if is_over else g.steps)]

    def _last_good(self, g: GrantDiagnosis) -> Iterator[object]:
        good = g.last_good
        if good is None:
            yield self.diagnosis.without_last_good(g)
            return
        yield good["signature"]
        yield _LANDED(slot=good["slot"], at=Moment(good["block_time"]), receipt=good["receipt"])

    @staticmethod
    def _first_bad(g: GrantDiagnosis) -> Iterator[object]:
        bad = g.first_bad
        if bad is None:
            yield from [_NOT_KNOWN] if g.is_undecided else []
            return
        yield (
            bad["signature"] or (_KNOWN_FROM if g.counts.are_whole else _NOT_IN_CASE)[bad["source"]]
        )
        text: object = bad["error"] or _NO_ERROR
        if bad["entry_hash"]:
            text = _ENTRY(before=text, entry=bad["entry_hash"][:16])
        yield _FOLLOWS(before=text, entry=bad["prev_hash"][:16]) if bad["prev_hash"] else text

    @staticmethod
    def _healing(g: GrantDiagnosis) -> Sentence:
        if g.verdict == "in_flight":
            return _HEALING["in_flight"](until=Moment(g.judgement.heals_until))
        return _HEALING[g.verdict if g.verdict in _HEALING else "sound"]()

    def _people(self, claimers: list[str] | None) -> Iterator[object]:
        if not claimers:
            yield _NOT_KNOWN if claimers is None else _NOBODY
            return
        yield CLAIMERS(len(claimers))
        yield from claimers[: self.most]
        if self.most is not None and len(claimers) > self.most:
            yield _AND_MORE(more=len(claimers) - self.most)

    def _audit_lines(self) -> Iterator[str]:
        audit, records = self.diagnosis.audit, self.diagnosis.reconciliation
        yield self.say(_AUDIT(verdict=AUDIT_VERDICTS[audit.verdict], checked=audit.checked))
        for name, label in _AUDIT_ROWS.items():
            items = getattr(audit, name) if hasattr(audit, name) else getattr(records, name)
            if items:
                yield f"  {padded(self.say(label), AUDIT_WIDTH)} {len(items)}: {self.say(self._some([shown(item) for item in items]))}"
        unknown = tuple(
            label for name, label in _AUDIT_ROWS.items() if name in audit.unknown | records.unknown
        )
        if unknown:
            yield f"  {padded(self.say(_NOT_KNOWN), AUDIT_WIDTH)} {self.say(Listed(unknown))}"

    def _finding_lines(self) -> list[str]:
        findings = self.diagnosis.findings
        lines = ["", self.say(_FINDINGS(**self.diagnosis.severities))]
        if not findings:
            return lines
        if self.every:
            worst_first = sorted(findings, key=lambda f: -SEVERITIES.index(f.severity))
            return [
                *lines,
                *(line for finding in worst_first for line in self._finding(finding)),
                f"  {self.say(_HINT)}",
            ]
        critical = [finding for finding in findings if finding.severity == "critical"]
        lines += [line for finding in critical[:MOST_FINDINGS] for line in self._finding(finding)]
        if len(critical) > MOST_FINDINGS:
            lines.append(f"  {self.say(_MORE_CRITICAL(more=len(critical) - MOST_FINDINGS))}")
        lines += [
            f"  {'warning':<8} {code}" + (f" × {count}" if count > 1 else "")
            for code, count in self.diagnosis.warnings.items()
        ]
        return [*lines, f"  {self.say(_HINT if len(critical) == len(findings) else _HINT_ALL)}"]

    def _finding(self, finding: Finding) -> Iterator[str]:
        """One finding: what was observed, what was expected where all are asked for, and the place
        in the case.
        """
        file, key = finding.where
        yield f"  {finding.severity:<8} {finding.code}: {self.say(finding.observed or finding.not_checked or '')}".rstrip(
            ": "
        )
        if self.every and finding.expected:
            yield f"           {self.say(_EXPECTED(expected=finding.expected))}"
        if self.every and finding.observed and finding.not_checked:
            yield f"           {self.say(_UNCHECKED(what=finding.not_checked))}"
        grant = finding.grant if self.every and finding.grant != key else None
        yield f"           {self.say(_AT(where=' '.join(part for part in (self.diagnosis.file(file), key, grant) if part)))}"

    def _coverage_lines(self) -> list[str]:
        coverage = self.diagnosis.coverage
        if coverage.complete:
            return ["", self.say(_ALL_CHECKED)]
        return [
            "",
            self.say(_NOT_CHECKED),
            *(f"  - {row.in_language(self.language)}" for row in ascending(coverage.not_checked)),
        ]


def padded(text: str, columns: int) -> str:
    """A text with spaces up to a width in a terminal's columns, of which wide characters take two."""
    return text + " " * (
        columns
        - sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    )
