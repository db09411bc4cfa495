"""Order of landing: races that heal, and races that are none."""

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


ACTS = (
    Act("out-of-order", Text("Two wallets race; the later proof arrives first, is refused, and lands when it is sent again.",
        "二つのウォレットが競合し、後の証明が先に届いて拒否されますが、再送で受理されます。"), out_of_order, eras=STRICT, mixes=False),
    Act("relaxed-race", Text("Two wallets take their proofs on one head, and both are accepted.",
        "二つのウォレットが同じヘッドの証明を受け取り、どちらも受理されます。"), race, eras=RELAXED),
)  # fmt: skip
