"""Whether the grant that a cutover ends with is verified: the rules that step 4 and
`60_verify_new_grant.ipynb` both go by.

They take a case and a plan, and neither a run nor its journal: who holds the evidence comes to the
operator's answer.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from popkit.chain.attempts import Attempt
from popkit.cutover.plan import Plan
from popkit.diagnosis.result import Diagnosis
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, EXIT_WRONG
from popkit.facts import Facts
from popkit.protocol.message import GENESIS_HASH
from popkit.rules.model import VIOLATED
from popkit.texts import Sentence, sentence


def grant_of(plan: Plan) -> str:
    """The grant that a plan ends with: the new one, or under the remedy *signer* the old one, which
    goes on.
    """
    return plan.new_grant.address if plan.new_grant is not None else plan.old_grant.address


def claims_since(facts: Facts, grant: str, plan: Plan | None) -> list[Attempt]:
    """The accepted claims that the cutover made possible, in order; without a plan, every accepted
    claim.

    Of a new grant they are all of its claims. Of a grant that goes on they are those of the plan's
    key since pop-config has named it.
    """
    accepted = list(facts.chain(grant).accepted)
    if plan is None or plan.new_grant is not None or plan.signer is None:
        return accepted
    # The program takes no claim of a key that pop-config does not name. So a claim of the plan's key, later than the last moment at
    # which another key was named, is one since the upsert, and the upsert's own slot is not needed: the journal has none where somebody
    # else made it, and a stranger has no journal. That moment is the plan's own look, or a later upsert of another key, which undoes
    # what was claimed before. Older claims never count: the planned key is often the one that signed before pop-config was changed.
    other_keys = [
        slot
        for slot, signer in facts.history.upserts(plan.old_grant.authority)
        if signer != plan.signer.planned
    ]
    since = max([plan.old_grant.slot, *other_keys])
    return [
        claim for claim in accepted if claim.signer == plan.signer.planned and claim.slot > since
    ]


def unexplained(diagnosis: Diagnosis, grant: str, plan: Plan | None) -> list[str]:
    """Codes of the critical findings about a grant, or about no grant, that a plan does not
    explain; sorted, each once.
    """
    critical = {
        found.code
        for found in diagnosis.findings
        if found.severity == "critical" and found.grant in (None, grant)
    }
    if plan is not None and plan.new_grant is None:
        critical -= set(
            plan.broken.causes
        )  # what the plan was made for stays in the history of a grant that goes on
    return sorted(critical)


def begins_at_genesis(claim: Attempt) -> bool:
    """Whether a claim is the first of its grant by both of its links: the chain's and the worker's
    stream.

    Where somebody moved the worker's head before the first claim, it may be one of the two alone
    that shows it.
    """
    return (claim.prev_hash, claim.stream_prev_hash) == (GENESIS_HASH, GENESIS_HASH)


def not_from_genesis(claim: Attempt) -> Sentence:
    """That a first claim follows something else, with the link that says so."""
    prev = claim.prev_hash if claim.prev_hash != GENESIS_HASH else claim.stream_prev_hash
    return sentence(
        "the first claim follows {prev}, not GENESIS",
        "最初の claim が GENESIS でなく {prev} に続いています",
        prev=prev or "-",
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """What check.py answered: its exit code, and the lines that it printed, without the empty ones."""

    code: int
    lines: tuple[str, ...]

    @property
    def violations(self) -> list[str]:
        """The lines that name a violation."""
        return [line.strip() for line in self.lines if VIOLATED in line]

    @property
    def exit_code(self) -> int:
        """0 no violation, 3 something cannot be told, 1 a violation, or the script did not run to
        its end.
        """
        return self.code if self.code in (EXIT_FINE, EXIT_CANNOT_TELL) else EXIT_WRONG


def run_checker(case: Path) -> Checked:
    """Run the checker that shares no code with popkit over a case's folder, as a stranger would run
    it.
    """
    with as_file(files("popkit.verification").joinpath("check.py")) as script:
        done = subprocess.run(
            [sys.executable, str(script), str(case)], capture_output=True, text=True, check=False
        )
    return Checked(
        done.returncode, tuple(line for line in done.stdout.splitlines() if line.strip())
    )
