"""A case as its users hold it: open it, look at its claims and chains, ask for the diagnosis."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from popkit.diagnosis.collection import missing_parts
from popkit.diagnosis.diagnose import diagnose_facts
from popkit.diagnosis.result import Diagnosis
from popkit.errors import UsageError
from popkit.evidence.bundle import Evidence
from popkit.evidence.grants import grant_named
from popkit.facts import Facts
from popkit.text import for_html, shown
from popkit.wording import counted, utc

if TYPE_CHECKING:
    import pandas as pd


class Case:
    """One case, opened read-only.

    Attributes ---------- name, cluster : str grants : tuple of base58 public keys, ascending
    collected_at : int, unix seconds evidence : the files and rows, each with its place facts : what
    was computed from them (claims table, history, eras, chains, the worker's lines) claims :
    DataFrame, one row a claim attempt; `popkit.claims.frame.COLUMNS` documents every column
    """

    def __init__(self, evidence: Evidence, era: str | None = None) -> None:
        self.evidence = evidence
        self.facts = Facts(evidence, era)
        self.name = evidence.header.case
        self.cluster = evidence.header.cluster
        self.grants = evidence.header.grants
        self.collected_at = evidence.header.collected_at

    @cached_property
    def claims(self) -> pd.DataFrame:
        """One row a claim attempt, accepted or refused; exact nullable Arrow dtypes."""
        from popkit.claims.frame import claims_frame

        def claimed_at(receipt: str) -> int | None:
            value = self.facts.receipt(receipt)
            return value.claimed_at if value is not None else None

        return claims_frame(self.facts.claims, self.facts.eras.at, claimed_at)

    def chain(self, grant: str) -> ChainView:
        """The chain of a grant, by its public key or an unambiguous beginning of it. Raises
        UnknownGrant, a UsageError.
        """
        return ChainView(self, grant_named(grant, self.grants))

    def diagnose(self) -> Diagnosis:
        """Verdict, causes, heads, impact, audit, reconciliation, coverage and findings; computed
        once.
        """
        return self._diagnosis

    @cached_property
    def _diagnosis(self) -> Diagnosis:
        return diagnose_facts(self.facts)

    def __repr__(self) -> str:
        attempts = len(self.facts.claims)
        size = f"{counted(len(self.grants), 'grant')}, {counted(attempts, 'claim attempt')}"
        return f"<Case {shown(self.name)} on {shown(self.cluster)}: {size}, collected {utc(self.collected_at)}>"

    def _repr_html_(self) -> str:
        rows = {
            "cluster": self.cluster,
            "grants": ", ".join(self.grants),
            "claim attempts": str(len(self.facts.claims)),
            "collected at": utc(self.collected_at),
            "parts not collected": ", ".join(self.missing_parts) or "none",
        }
        body = "".join(
            f"<tr><th>{for_html(k)}</th><td>{for_html(v)}</td></tr>" for k, v in rows.items()
        )
        return f"<table><caption>Case {for_html(self.name)}</caption>{body}</table>"

    @property
    def missing_parts(self) -> list[str]:
        """The parts of the case format that this case does not have."""
        return missing_parts(self.evidence)


class ChainView:
    """The chain of one grant for looking at.

    Attributes: `grant`, `heads` (dict), `links` (DataFrame, one row an accepted claim), `attempts`
    (DataFrame, the grant's rows of the claims table), `diagnosis` (this grant's part of the
    diagnosis).
    """

    def __init__(self, case: Case, grant: str) -> None:
        self.case, self.grant = case, grant
        self._chain = case.facts.chain(grant)

    @property
    def diagnosis(self) -> Any:
        """The grant's part of the diagnosis."""
        return self.case.diagnose().grant(self.grant)

    @property
    def heads(self) -> dict[str, str | None]:
        """Entry hashes: `on_chain` (PopState), `worker` (where its next proof will point),
        `last_accepted` (the end of the links).
        """
        return dict(self.diagnosis.heads)

    @property
    def links(self) -> pd.DataFrame:
        """One row an accepted claim with a proof: entry, both parents, whether the parent was the
        head, the head after it, era.
        """
        import pandas as pd

        columns = {
            "signature": "string", "slot": "uint64", "entry_hash": "string", "prev_hash": "string", "stream_prev_hash": "string",
            "follows_head": "bool", "head_after": "string", "era": "string",
        }  # fmt: skip
        frame = pd.DataFrame(self._chain.links(), columns=list(columns))
        return frame.astype({name: f"{dtype}[pyarrow]" for name, dtype in columns.items()})

    @property
    def attempts(self) -> pd.DataFrame:
        """The grant's rows of the claims table."""
        claims = self.case.claims
        return claims[claims["grant"] == self.grant].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self._chain.accepted)

    def __repr__(self) -> str:
        chain = self._chain
        return f"<chain of {self.grant}: {len(chain.accepted)} accepted, {len(chain.refused)} refused, head {chain.head[:16]}>"

    def _repr_html_(self) -> str:
        return str(self.diagnosis._repr_html_())


def open_case(path: str | Path, era: str | None = None, cutover: str | Path | None = None) -> Case:
    """Open a case directory read-only, its manifest checked first.

    `era` (pre_pop, strict, strict_v2, relaxed) is assumed where nothing in the evidence decides;
    `cutover` is a record of a cutover (cutover.json) that lies outside of the case. Raises
    UsageError when a place does not exist or the era is none, ManifestMismatch or CaseUnreadable
    when the case cannot be judged as it is.
    """
    from popkit.protocol.errors import ERAS

    if era is not None and era not in ERAS:
        raise UsageError(f"{era!r} is no era; one of {', '.join(ERAS)}")
    return Case(Evidence(path, cutover), era)
