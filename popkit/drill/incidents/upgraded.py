"""The program is upgraded in the middle: what was wedged is healed by relaxed rules alone; a newer
strict program heals nothing.

Each upgrade waits for the day on which the newer program's source exists, so that a break lasts for
weeks, as one that nobody looked at would. Whether the worker is upgraded with the program is left
to chance: deployments lag.
"""

from __future__ import annotations

from itertools import pairwise

from popkit.drill.incidents import burnt, lost
from popkit.drill.incidents.act import STRICT, Act
from popkit.drill.stage import ERAS, Stage
from popkit.drill.world import START
from popkit.texts import Text

NEXT = dict(pairwise(ERAS))
"""The build that was published after each."""


def _upgrade(stage: Stage, build: str) -> None:
    stage.wait(max(0, START[build] - stage.world.now))
    stage.wait(0, 7200)
    with_signer = stage.world.build == "pre_pop"
    stage.upgrade(build, with_worker=stage.chance.random() < 0.5)
    if with_signer:
        stage.name_signer(stage.worker.signer)


def _wedge(stage: Stage) -> list[str]:
    """A proof is lost in one of some ways, and others are refused on chain; gives the wallets that
    were.
    """
    stage.chance.choice((lost.never_sent, burnt.paused, burnt.expired))(stage)
    return _refused(stage)


def _refused(stage: Stage) -> list[str]:
    wallets = [stage.wallet() for _ in range(stage.chance.randint(1, 3))]
    for wallet in wallets:
        stage.wait(5, 60)
        proof = stage.proof(wallet)
        assert stage.send(wallet, proof).err is not None
        stage.lost(proof)
    return wallets


def healed(stage: Stage) -> None:
    """Wedged, then relaxed rules: some of those who were refused come back, and others with them."""
    refused = _wedge(stage)
    _upgrade(stage, stage.chance.choice(("relaxed", "head")))
    for wallet in refused[: stage.chance.randint(0, len(refused))]:
        assert stage.send(wallet, stage.proof(wallet)).err is None
    stage.claims(1, 3)


def not_healed(stage: Stage) -> None:
    """Wedged, then the newer strict program: refused as before."""
    _wedge(stage)
    _upgrade(stage, "strict_v2")
    _refused(stage)


def wedged_after(stage: Stage) -> None:
    """Sound before and after, until a proof is lost under the newer strict program."""
    _upgrade(stage, "strict_v2")
    stage.claims(1, 3)
    _wedge(stage)


def sound(stage: Stage) -> None:
    """Claims before and after, all accepted."""
    _upgrade(stage, NEXT[stage.world.build])
    stage.claims(1, 3)


ACTS = (
    Act("upgrade-heals", Text("A lost proof wedges the grant; weeks later a program with relaxed "
                              "rules is deployed, and claims land again.",
        "失われた証明でグラントが詰まり、数週間後に relaxed 規則のプログラムが配備されて、claim が再び受理されます。"),
        healed, eras=STRICT, mixes=False),
    Act("upgrade-heals-nothing", Text("A lost proof wedges the grant; a newer strict program is "
                                      "deployed, and claims are still refused.",
        "失われた証明でグラントが詰まり、新しい strict プログラムが配備されても、claim は拒否され続けます。"),
        not_healed, eras=("strict",), mixes=False),
    Act("upgrade-then-wedged", Text("A newer strict program is deployed while all is well; a proof "
                                    "is lost under it.",
        "問題のない間に新しい strict プログラムが配備され、そのもとで証明が失われます。"),
        wedged_after, eras=("strict",), mixes=False),
    Act("upgrade", Text("The next program is deployed while all is well, and nothing goes wrong.",
        "問題のない間に次のプログラムが配備され、何も起きません。"),
        sound, eras=ERAS[:-1], mixes=False),
)  # fmt: skip
