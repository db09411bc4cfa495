"""What `60_verify_new_grant.ipynb` calls: a new grant, verified without trusting the server that
made it.

grant = independent.open_grant(CASE, run=RUN, grant=GRANT, endpoint=ENDPOINT, language=LANGUAGE)
grant.evidence()      # which case, from where, as of when grant.start()         # its verdict, and
whether it begins at GENESIS grant.signer()        # one key: pop-config's, the claims', the plan's
grant.claims()        # each of the first claims, every check grant.standalone()    # check.py,
which shares no code with popkit grant.server()        # what the worker says of itself, beside our
own answer; it decides nothing grant.answer()        # all of it, and the exit code that it comes to

The steps are those of "How to Verify (Independent / Server-Untrusted)". Nothing here signs, sends,
or writes into a journal: a stranger with a node of their own can run it. What does not hold stands
on the screens; only a case or run that cannot be opened raises.
"""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from popkit.case import Case, open_case
from popkit.chain.attempts import Attempt
from popkit.cutover.pages.notebook import EXIT_CODE, find, find_run, guarded
from popkit.cutover.pages.screen import Screen, Tone, Words
from popkit.cutover.plan import Plan, read_plan
from popkit.cutover.records.judging import (
    Checked,
    begins_at_genesis,
    claims_since,
    grant_of,
    not_from_genesis,
    run_checker,
    unexplained,
)
from popkit.cutover.records.own_evidence import NO_GRANT, Wish, evidence_of
from popkit.diagnosis.result import GrantDiagnosis
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG, UsageError
from popkit.evidence.grants import grant_named
from popkit.rules.model import CANNOT_TELL, HOLDS, VIOLATED
from popkit.texts import Language, Listed, Moment, Sentence, Text, chosen_language, sentence
from popkit.verification.model import Check, Section, Verification
from popkit.verification.verify import verify

PEERS = ("rpc", "second_rpc", "worker", "tool")
"""What a case's header names as its sources, of which the page shows these."""
MOST_CLAIMS = 10
"""Claims that are shown one by one; all of them are verified."""
MARKS: dict[str, Tone] = {HOLDS: "good", CANNOT_TELL: "note", VIOLATED: "stop"}
CODES: dict[Tone, int] = {
    "plain": EXIT_FINE,
    "good": EXIT_FINE,
    "note": EXIT_CANNOT_TELL,
    "stop": EXIT_WRONG,
}
VERDICT_TONES: dict[str, Tone] = {"intact": "good", "recovered": "good", "broken": "stop"}

CASE, COLLECTED, GRANT, ASKED = (
    Text("case", "ケース"),
    Text("as of", "時点"),
    Text("grant", "grant"),
    Text("asked", "収集元"),
)
VERDICT, START, CONFIG, BY_CLAIMS, BY_PLAN = (
    Text("verdict", "判定"),
    Text("start", "開始"),
    Text("pop-config", "pop-config"),
    Text("claims signed by", "claim の署名者"),
    Text("plan", "計画"),
)
CLAIM, MORE, CHECKER = (
    Text("claim {n}", "claim {n}"),
    Text("the rest", "残り"),
    Text("check.py", "check.py"),
)
WORKER, OURS, RECORDS = (
    Text("the worker says", "worker の回答"),
    Text("recomputed", "再計算"),
    Text("the worker's records", "worker の記録"),
)
ANSWER = Text("Is the new grant verified?", "新しい grant は検証できたか")
YES, NO, OPEN = (
    Text(
        "verified: everything that decides holds", "検証済み: 判断に使う項目はすべて成立しています"
    ),
    Text("not verified: something does not hold", "検証できません: 成立しない項目があります"),
    Text(
        "not verified yet: something cannot be told",
        "まだ検証できません: 判断できない項目があります",
    ),
)
MEANS = Text(
    "{code} (0 verified, 1 something does not hold, 3 cannot tell)",
    "{code}（0 検証済み、1 成立しない項目あり、3 判断できない）",
)
NOBODY = Text(
    "nobody claimed yet: that is not green", "まだ誰も claim していません。合格ではありません"
)
HEADINGS = {
    "evidence": Text("The evidence", "証拠"),
    "start": Text("Verdict and start", "判定と開始"),
    "signer": Text("The signer", "署名者"),
    "claims": Text("The first claims", "最初の claim"),
    "standalone": Text("Without popkit", "popkit を使わない検証"),
    "server": Text("The server beside it", "サーバーの回答との比較"),
}


def open_grant(
    case: str = "", *, run: str = "", grant: str = "", endpoint: str = "", language: str = ""
) -> Independent:
    """The new grant of a run, or a grant of a case, with its evidence.

    The evidence is `case`; else, where `endpoint` is given (env:NAME, or a bare URL), what it
    answers now, kept in `case` or in RUN/evidence/own-<n>; else the newest
    RUN/evidence/4-after-<n>. Shows a screen and raises PopkitError where there is none.
    """
    spoken = chosen_language(language or None, os.environ)

    def opened() -> Independent:
        plan = read_plan(find_run(run)) if run else None
        wanted = grant or (grant_of(plan) if plan is not None else "")
        wish = Wish(
            find(case, "case.json") if case else None,
            find_run(run) if run else None,
            plan,
            wanted,
            endpoint,
        )
        place = evidence_of(wish)
        held = open_case(place)
        if not wanted and len(held.grants) != 1:
            raise UsageError(NO_GRANT(grants=Listed(held.grants)))
        return Independent(
            held, grant_named(wanted or held.grants[0], held.grants), plan, place, spoken
        )

    return guarded(opened, spoken)


class Independent:
    """A grant and its evidence; each method is one step, as a screen."""

    def __init__(
        self, case: Case, grant: str, plan: Plan | None, place: Path, language: Language
    ) -> None:
        self.case, self.grant, self.plan, self.place, self.language = (
            case,
            grant,
            plan,
            place,
            language,
        )

    # what is computed once

    @cached_property
    def diagnosis(self) -> GrantDiagnosis:
        """Our own answer about the grant."""
        return self.case.diagnose().grant(self.grant)

    @property
    def goes_on(self) -> bool:
        """Whether the old grant goes on under another signer, so that there is no new one."""
        return self.plan is not None and self.plan.new_grant is None

    @cached_property
    def accepted(self) -> list[Attempt]:
        """The accepted claims that the cutover made possible, in order."""
        return claims_since(self.case.facts, self.grant, self.plan)

    @cached_property
    def verification(self) -> Verification:
        """Every rule of the case and of this grant's claims."""
        return verify(self.case.evidence, grant=self.grant)

    @cached_property
    def checker(self) -> Checked:
        """What check.py answers, run as a stranger would run it."""
        return run_checker(self.place)

    # the steps

    def evidence(self) -> Screen:
        """Which case it is, from whom, as of when."""
        return self._screen("evidence")

    def start(self) -> Screen:
        """The verdict, and whether the chain begins at GENESIS."""
        return self._screen("start")

    def signer(self) -> Screen:
        """Whether one key is meant by pop-config, the claims and the plan."""
        return self._screen("signer")

    def claims(self) -> Screen:
        """The first claims, each verified by every rule."""
        return self._screen("claims")

    def standalone(self) -> Screen:
        """What check.py finds, which shares no code with popkit."""
        return self._screen("standalone")

    def server(self) -> Screen:
        """What the worker says of itself, beside what was recomputed."""
        return self._screen("server")

    def answer(self) -> Screen:
        """Every step in a row, and what it comes to. `exit_code`: 0 verified, 1 something does not
        hold, 3 cannot tell.
        """

        def made() -> Screen:
            screen = Screen(ANSWER(), language=self.language)
            codes = []
            for name, heading in HEADINGS.items():
                rows = self._rows(name).rows
                worst = max(
                    (row.tone for row in rows),
                    key=lambda tone: (CODES[tone] == EXIT_WRONG, CODES[tone], tone == "good"),
                )
                # What the worker says of itself is recorded, and decides nothing.
                codes.append(CODES[worst] if name != "server" else EXIT_FINE)
                first = next(row for row in rows if row.tone == worst)
                screen.add(heading, first.lines[-1], tone=worst)
            screen.exit_code = EXIT_WRONG if EXIT_WRONG in codes else max(codes)
            words, tone = {
                EXIT_FINE: (YES, "good"),
                EXIT_WRONG: (NO, "stop"),
                EXIT_CANNOT_TELL: (OPEN, "note"),
            }[screen.exit_code]
            screen.add(VERDICT(), words, tone=tone)  # type: ignore[arg-type]
            screen.add(EXIT_CODE(), MEANS(code=screen.exit_code))
            return screen

        return guarded(made, self.language)

    # how each is found out

    def _screen(self, name: str) -> Screen:
        return guarded(lambda: self._rows(name), self.language, HEADINGS[name])

    def _rows(self, name: str) -> Screen:
        screen = Screen(HEADINGS[name], language=self.language)
        ask: Callable[[Screen], None] = getattr(self, f"_{name}")
        ask(screen)
        screen.exit_code = max((CODES[row.tone] for row in screen.rows), default=EXIT_FINE)
        return screen

    def _evidence(self, screen: Screen) -> None:
        header, facts = self.case.evidence.header, self.case.facts
        screen.add(GRANT(), self.grant)
        screen.add(
            CASE(),
            sentence(
                "{case} on {cluster}",
                "{case}（{cluster}）",
                case=self.case.name,
                cluster=self.case.cluster,
            ),
        )
        screen.add(COLLECTED(), Moment(self.case.collected_at).in_language(self.language))
        screen.add(
            ASKED(),
            *(f"{name}: {header.sources[name]}" for name in PEERS if header.sources.get(name)),
        )
        (section,) = self._sections("case")
        self._section(screen, CASE(), section)
        whole = facts.is_listed_whole(self.grant)
        words = (
            Text(
                "the node listed the grant's transactions and gave every one",
                "ノードは grant の取引をすべて列挙し、すべて渡しました",
            )
            if whole
            else Text(
                "whether the list of transactions is whole is not known",
                "取引の一覧が完全かどうかは不明です",
            )
        )
        screen.add(Text("transactions", "取引"), words, tone="good" if whole else "note")

    def _start(self, screen: Screen) -> None:
        found = self.diagnosis
        words = sentence(
            "{verdict}: {because}",
            "{verdict}: {because}",
            verdict=found.verdict,
            because=found.judgement.because,
        )
        screen.add(VERDICT(), words, tone=VERDICT_TONES.get(found.verdict, "note"))
        critical = unexplained(self.case.diagnose(), self.grant, self.plan)
        if critical:
            screen.add(Text("findings", "所見"), ", ".join(critical), tone="stop")
        if not self.accepted:
            screen.add(START(), NOBODY, tone="note")
            return
        first = self.accepted[0]
        if self.goes_on:
            screen.add(
                START(),
                Text(
                    "the old grant goes on: there is no new start",
                    "元の grant を続けるため、新しい開始はありません",
                ),
            )
        elif begins_at_genesis(first):
            screen.add(
                START(),
                sentence("GENESIS, by {claim}", "GENESIS（{claim}）", claim=first.signature),
                tone="good",
            )
        else:
            screen.add(START(), not_from_genesis(first), tone="stop")

    def _signer(self, screen: Screen) -> None:
        history = self.case.facts.history
        named = history.signer_now(history.authority_of(self.grant))
        signers = list(dict.fromkeys(claim.signer for claim in self.accepted if claim.signer))
        planned_key = (
            self.plan.signer.planned
            if self.plan is not None and self.plan.signer is not None
            else None
        )
        unknown = Text("not known", "不明")
        screen.add(CONFIG(), named or unknown, tone="plain" if named else "note")
        newest = signers[-1] if signers else None
        agrees: Tone = (
            "note" if newest is None or named is None else "good" if newest == named else "stop"
        )
        screen.add(BY_CLAIMS(), *(signers or [NOBODY]), tone=agrees)
        if planned_key is None:
            words = Text(
                "no run was given: compare the key with a second source",
                "RUN がありません。鍵を別の情報源と比べてください",
            )
            screen.add(BY_PLAN(), words)
        else:
            screen.add(
                BY_PLAN(), planned_key, tone="good" if planned_key == (newest or named) else "stop"
            )

    def _claims(self, screen: Screen) -> None:
        made_possible = {claim.signature for claim in self.accepted}
        sections = [
            s for s in self._sections("claim") if not self.goes_on or s.name in made_possible
        ]
        if not sections:
            screen.add(Text("claims", "claim"), NOBODY, tone="note")
        for number, section in enumerate(sections[:MOST_CLAIMS], 1):
            self._section(screen, CLAIM(n=number), section, section.name)
        rest = sections[MOST_CLAIMS:]
        if rest:
            found = Counter(section.status for section in rest)
            worst = next(status for status in (VIOLATED, CANNOT_TELL, HOLDS) if found[status])
            words = sentence(
                "{holds} hold, {violated} violated, {open} cannot tell",
                "成立 {holds} 件、違反 {violated} 件、判断できない {open} 件",
                holds=found[HOLDS],
                violated=found[VIOLATED],
                open=found[CANNOT_TELL],
            )
            screen.add(MORE(), words, tone=MARKS[worst])

    def _standalone(self, screen: Screen) -> None:
        found = self.checker
        tone: Tone = {EXIT_FINE: "good", EXIT_CANNOT_TELL: "note"}.get(found.exit_code, "stop")  # type: ignore[assignment]
        words = {
            "good": Text(
                "finds no violation, and everything could be checked",
                "違反はなく、すべて検査できました",
            ),
            "note": Text(
                "finds no violation; something cannot be told",
                "違反はありません。判断できない項目があります",
            ),
            "stop": Text(
                "finds a violation, or did not run to its end",
                "違反を見つけたか、最後まで動きませんでした",
            ),
        }[tone]
        ended = sentence(
            "{words} (exit code {code})",
            "{words}（終了コード {code}）",
            words=words(),
            code=found.code,
        )
        screen.add(CHECKER(), ended, tone=tone)
        screen.add(Text("output", "出力"), *(found.violations[:3] or found.lines[-1:]))
        screen.commands = [
            "popkit verify --standalone check.py",
            f"python3 check.py {shlex.quote(str(self.place))}",
        ]

    def _server(self, screen: Screen) -> None:
        audit = self.case.diagnose().audit
        answer = self.case.evidence.answers.get("audit-integrity")
        body = answer.body if answer is not None and isinstance(answer.body, dict) else None
        if body is None:
            screen.add(
                WORKER(),
                Text("audit-integrity was not collected", "audit-integrity は収集されていません"),
            )
        else:
            ok, checked = str(body.get("ok")).lower(), body.get("checked")
            words = sentence(
                "audit-integrity: ok {ok}, {n} rows checked; recorded, and not relied on",
                "audit-integrity: ok {ok}、{n} 行を検査。記録のみで、判断には使いません",
                ok=ok,
                n="?" if checked is None else checked,
            )
            screen.add(WORKER(), words)
        tone = MARKS.get(audit.verdict, "note") if audit.checked else "plain"
        ours = sentence(
            "audit chain: {verdict}, {n} rows recomputed",
            "監査チェーン: {verdict}、{n} 行を再計算",
            verdict=audit.verdict,
            n=audit.checked,
        )
        screen.add(OURS(), ours, tone=tone)
        compared = next(
            (
                c
                for s in self.verification.sections
                for c in s.checks
                if c.where[0] == "worker/audit-integrity.json"
            ),
            None,
        )
        if compared is not None:
            screen.add(Text("together", "照合"), compared.observed, tone=MARKS[compared.status])  # type: ignore[arg-type]
        for section in self._sections("records"):
            self._section(screen, RECORDS(), section)

    def _sections(self, subject: str) -> list[Section]:
        return [section for section in self.verification.sections if section.subject == subject]

    def _section(self, screen: Screen, label: Words, section: Section, *lines: Words) -> None:
        """Add a section of the verification: how many checks hold, and those that are violated,
        word for word.
        """
        found = Counter(check.status for check in section.checks)
        counts = sentence(
            "{holds} checks hold, {violated} violated, {open} cannot tell",
            "検査 {holds} 件成立、違反 {violated} 件、判断できない {open} 件",
            holds=found[HOLDS],
            violated=found[VIOLATED],
            open=found[CANNOT_TELL],
        )
        violations = [_violation(check) for check in section.checks if check.is_wrong]
        screen.add(label, *lines, counts, *violations, tone=MARKS[section.status])


def _violation(check: Check) -> Sentence:
    return sentence(
        "{title}: expected {expected}, observed {observed}",
        "{title}: 期待値 {expected}、実際 {observed}",
        title=check.title,
        expected=check.expected,
        observed=check.observed,
    )
