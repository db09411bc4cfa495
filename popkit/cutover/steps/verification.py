"""Step 4: the new grant, verified without trusting the server that made it.

It is collected anew through the second endpoint; its verdict and each of its first claims are ours,
by popkit and by the stand-alone checker; what the worker says of itself is recorded beside, and
decides nothing. "Nobody claimed yet" is not green.
"""

from __future__ import annotations

from typing import Any

from popkit.case import Case
from popkit.chain.attempts import Attempt
from popkit.cutover.gathering import gather
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import Looks
from popkit.cutover.pages.screen import Screen
from popkit.cutover.reasons import stop
from popkit.cutover.records.judging import (
    begins_at_genesis,
    claims_since,
    grant_of,
    not_from_genesis,
    run_checker,
    unexplained,
)
from popkit.cutover.steps.base import Step
from popkit.errors import EXIT_WRONG
from popkit.texts import Sentence, Text, sentence
from popkit.verification.verify import verify

VERDICT, CLAIMS, CHECKER, START = (
    Text("verdict", "判定"),
    Text("first claims", "最初の claim"),
    Text("stand-alone", "独立検証"),
    Text("start", "開始"),
)
SERVER = Text("the worker's own", "worker 自身の確認")
MOST_CLAIMS = 10
SERVER_SAYS = Text(
    "audit-integrity says ok: {ok}, {checked} checked; recorded, and not relied on",
    "audit-integrity は ok: {ok}、{checked} 件。記録のみで、判断には使いません",
)
ANNOUNCE = Text("announce now", "ここで告知")


class Verification(Step):
    """Verify the new grant; under the remedy *signer*, the old one, which goes on."""

    _case: Case | None = None
    _by_worker: dict[str, Any] | None = None

    @property
    def grant(self) -> str:
        return grant_of(self.run.plan)

    def forget(self) -> None:
        self._case = self._by_worker = None

    def case(self) -> Case:
        """The grant, collected through the second endpoint; once a look."""
        if self._case is None:
            self._case = gather(self.run, "4-after", self.grant, second=True)
        return self._case

    def look_closer(self, looks: Looks) -> None:
        looks.add(VERDICT, self._verdict)
        if looks.stopped is None:
            looks.add(START, self._genesis)
            looks.add(CLAIMS, self._claims)
            looks.add(CHECKER, self._standalone)
        looks.note(SERVER, self._server())

    def _verdict(self) -> Sentence:
        diagnosis = self.case().diagnose()
        grant = diagnosis.grant(self.grant)
        accepted = self.accepted()
        if not accepted:
            raise stop(
                "not_green",
                why=sentence(
                    "nobody claimed yet; let somebody claim, then run this step again",
                    "まだ誰も claim していません。誰かが claim してから、もう一度実行してください",
                ),
            )
        if grant.verdict not in ("intact", "recovered"):
            raise stop(
                "not_green",
                why=sentence(
                    "{verdict}: {because}",
                    "{verdict}: {because}",
                    verdict=grant.verdict,
                    because=grant.judgement.because,
                ),
            )
        critical = unexplained(diagnosis, self.grant, self.run.plan)
        if critical:
            raise stop("not_green", why=", ".join(critical))
        return sentence(
            "{verdict}, {n} claims accepted",
            "{verdict}。受理された claim {n} 件",
            verdict=grant.verdict,
            n=len(accepted),
        )

    def accepted(self) -> list[Attempt]:
        """The accepted claims that the cutover made possible, in order."""
        return claims_since(self.case().facts, self.grant, self.run.plan)

    def _genesis(self) -> Sentence:
        accepted, signer = self.accepted(), self.run.plan.signer
        first, last = accepted[0], accepted[-1]
        if self.run.plan.new_grant is not None and not begins_at_genesis(first):
            raise stop("not_green", why=not_from_genesis(first))
        if signer is not None and last.signer != signer.planned:
            raise stop(
                "not_green",
                why=sentence(
                    "the newest claim was signed by {key}",
                    "最新の claim の署名者は {key} です",
                    key=last.signer,
                ),
            )
        if self.run.plan.remedy == "signer":
            return sentence(
                "signed by the plan's key since", "以後の claim は計画の鍵で署名されています"
            )
        return sentence("GENESIS; signed by the plan's key", "GENESIS から開始。計画の鍵で署名")

    def _claims(self) -> Sentence:
        checked = [claim.signature for claim in self.accepted()[:MOST_CLAIMS]]
        found = verify(self.case().evidence, checked)
        wrong = [
            (section.name, check.title)
            for section in found.sections
            for check in section.checks
            if check.is_wrong
        ]
        if wrong:
            raise stop(
                "not_green",
                why=sentence(
                    "{claim}: {rule}", "{claim}: {rule}", claim=wrong[0][0], rule=wrong[0][1]
                ),
            )
        open_ = found.counts()["cannot tell"]
        return sentence(
            "{n} verified, no rule is violated; {open} checks cannot tell",
            "{n} 件を検証し、違反した規則はありません。判断できない検査 {open} 件",
            n=len(checked),
            open=open_,
        )

    def _standalone(self) -> Sentence:
        """The checker that shares no code with popkit, run as a stranger would run it."""
        found = run_checker(self.case().evidence.root)
        if found.exit_code == EXIT_WRONG:
            first = next(iter(found.violations), "")
            raise stop(
                "not_green",
                why=sentence(
                    "check.py ends with {code}: {last}",
                    "check.py の終了コード {code}: {last}",
                    code=found.code,
                    last=first,
                ),
            )
        return sentence(
            "check.py finds no violation (exit code {code})",
            "check.py も違反を見つけません（終了コード {code}）",
            code=found.code,
        )

    def _server(self) -> Sentence:
        """What the worker says of itself, for the record alone."""
        integrity = self._integrity()
        return SERVER_SAYS(ok=str(integrity.get("ok")).lower(), checked=integrity.get("checked"))

    def _integrity(self) -> dict[str, Any]:
        """The worker's own check; asked once a look, as every question appends an entry to its
        audit list.
        """
        if self._by_worker is None:
            self._by_worker = self.run.desk().integrity()
        return self._by_worker

    def carry_out(self, looks: Looks) -> Entry:
        integrity = self._integrity()
        claims = self.accepted()[:MOST_CLAIMS]
        return self.done(
            by="us",
            grant=self.grant,
            verdict=self.case().diagnose().grant(self.grant).verdict,
            case=self.case().name,
            claims=[claim.signature for claim in claims],
            server={"ok": integrity.get("ok"), "checked": integrity.get("checked")},
        )

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        screen.add(VERDICT(), str(entry.facts["verdict"]), tone="good")
        screen.add(CLAIMS(), *(str(claim) for claim in entry.facts["claims"]), tone="good")
        server = entry.facts["server"]
        screen.add(SERVER(), SERVER_SAYS(ok=str(server["ok"]).lower(), checked=server["checked"]))
        canary = self.run.result("2.5")
        for name, value in canary.facts["by_worker"].items() if canary is not None else ():
            screen.add(SERVER(), f"{name}: {str(value).lower()}")
        if self.run.plan.remedy == "switch":
            screen.add(ANNOUNCE(), self.run.plan.announcement)
