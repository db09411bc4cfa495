"""A copy of the worker's key issues proofs too."""

from __future__ import annotations

from popkit.drill.incidents.act import RELAXED, STRICT, Act
from popkit.drill.stage import Stage
from popkit.texts import Text


def _foreign(stage: Stage) -> None:
    stage.causes.add("foreign_issuer")
    stage.critical, stage.remedy = True, "key"


def foreign_refused(stage: Stage) -> None:
    """The copy issues on an old head: refused, and the worker goes on."""
    clone = stage.worker.clone(f"clone {stage.seed}")
    stage.claims(1, 2)
    wallet = stage.wallet()
    assert stage.send(wallet, stage.proof(wallet, clone)).err is not None
    _foreign(stage)
    stage.claims(1, 2)


def foreign_accepted(stage: Stage) -> None:
    """The copy's proof lands: the worker's next ones are refused."""
    clone = stage.worker.clone(f"clone {stage.seed}")
    wallet = stage.wallet()
    assert stage.send(wallet, stage.proof(wallet, clone)).err is None
    _foreign(stage)
    stage.wedged = True


def foreign_relaxed(stage: Stage) -> None:
    """Under relaxed rules the copy's proofs land like any other."""
    clone = stage.worker.clone(f"clone {stage.seed}")
    wallet = stage.wallet()
    assert stage.send(wallet, stage.proof(wallet, clone)).err is None
    _foreign(stage)
    stage.claims(1, 2)


ACTS = (
    Act("foreign-issuer-refused", Text("A second worker with a copy of the key issues a proof, "
                                       "which is refused.",
        "鍵の複製を持つ別の worker が証明を発行し、拒否されます。"), foreign_refused, eras=STRICT, mixes=False),
    Act("foreign-issuer", Text("A second worker with a copy of the key issues a proof, which is "
                               "accepted.",
        "鍵の複製を持つ別の worker の証明が受理されます。"), foreign_accepted, eras=STRICT, mixes=False),
    Act("foreign-issuer-relaxed", Text("A second worker with a copy of the key issues a proof "
                                       "between the others.",
        "鍵の複製を持つ別の worker が、ほかの claim の間に証明を発行します。"), foreign_relaxed, eras=RELAXED),
)  # fmt: skip
