"""Order of landing: races that heal, and races that are none.

A strict program under a worker that takes parents from clients (model D) exists by the reference:
such workers were published from 2026-03-04 on, relaxed rules from 2026-03-12 on. Nothing is wedged
there, but of two proofs on one head the second is refused. A program of 2026-02-21 under such a
worker is nowhere published together; deployments lag, so that it can happen, and is played as well.
"""

from __future__ import annotations

from popkit.drill.incidents.act import RELAXED, STRICT, Act
from popkit.drill.stage import Stage
from popkit.texts import Text


def out_of_order(stage: Stage) -> None:
    """The later proof arrives first, is refused, and is sent again after the earlier one."""
    early, late = stage.wallet(), stage.wallet()
    first, second = stage.proof(early), stage.proof(late)
    refused = stage.send(late, second)
    assert refused.error in (6026, 6028)
    assert stage.send(early, first).err is None
    assert stage.send(late, second).err is None
    stage.causes.add("out_of_order")
    stage.began = None


def race(stage: Stage) -> None:
    """Two wallets take their proofs on one head, and both are accepted."""
    one, other = stage.wallet(), stage.wallet()
    proofs = [stage.proof(one), stage.proof(other)]
    pairs = list(zip((one, other), proofs, strict=True))
    stage.chance.shuffle(pairs)
    for wallet, proof in pairs:
        assert stage.send(wallet, proof).err is None


def race_refused(stage: Stage) -> None:
    """Two wallets take their proofs on one head: the second is refused, asks anew and is accepted,
    or goes away.
    """
    one, other = stage.wallet(), stage.wallet()
    first, second = stage.proof(one), stage.proof(other)
    assert stage.send(one, first).err is None
    assert stage.send(other, second).error == 6026
    stage.wait(5, 30)
    if stage.chance.random() < 0.5:
        assert stage.send(other, stage.proof(other)).err is None
    stage.claims(1, 2)


def lost_and_nothing_wedged(stage: Stage) -> None:
    """A proof is never sent, and those who come after are accepted: the next parent is the chain's
    head.
    """
    stage.lost(stage.proof(stage.wallet()))
    stage.wait(10, 60)
    stage.claims(1, 3)


ACTS = (
    Act("out-of-order", Text("Two wallets race; the later proof arrives first, is refused, and "
                             "lands when it is sent again.",
        "二つのウォレットが競合し、後の証明が先に届いて拒否されますが、再送で受理されます。"), out_of_order, eras=STRICT, mixes=False),
    Act("relaxed-race", Text("Two wallets take their proofs on one head, and both are accepted.",
        "二つのウォレットが同じヘッドの証明を受け取り、どちらも受理されます。"), race, eras=RELAXED),
    Act("strict-race", Text("Under strict rules two wallets of a later worker take their proofs on "
                            "one head; the second is refused.",
        "strict 規則のもとで、後期の worker が二つのウォレットに同じヘッドの証明を出し、二つ目が拒否されます。"),
        race_refused, eras=STRICT, mixes=False, model="D"),
    Act("strict-lost", Text("Under strict rules a proof of a later worker is never sent, and "
                            "nothing is wedged.",
        "strict 規則のもとで、後期の worker の証明が送信されませんが、詰まりは起きません。"),
        lost_and_nothing_wedged, eras=STRICT, mixes=False, model="D"),
)  # fmt: skip
