"""Proofs that are never sent, and those still on their way."""

from __future__ import annotations

from popkit.drill.incidents.act import STRICT, Act
from popkit.drill.stage import Stage
from popkit.texts import Text


def never_sent(stage: Stage) -> None:
    """A wallet takes a proof and never sends it."""
    stage.lost(stage.proof(stage.wallet()))


def _refused(stage: Stage) -> None:
    """Others come after and are refused on chain; under relaxed rules they are accepted."""
    stage.wait(10, 60)
    for _ in range(stage.chance.randint(1, 3)):
        wallet = stage.wallet()
        proof = stage.proof(wallet)
        if stage.send(wallet, proof).err is not None:
            stage.lost(proof)
        stage.wait(5, 40)


def abandoned(stage: Stage) -> None:
    never_sent(stage)
    _refused(stage)


def abandoned_quiet(stage: Stage) -> None:
    never_sent(stage)
    for _ in range(stage.chance.randint(1, 3)):
        wallet = stage.wallet()
        proof = stage.proof(wallet)
        if not stage.is_strict or stage.simulate(wallet, proof).err is None:
            stage.send(wallet, proof)
        else:
            stage.lost(proof)
        stage.wait(5, 40)


def in_flight(stage: Stage) -> None:
    proof = stage.proof(stage.wallet())
    stage.in_flight = stage.is_strict
    if not stage.is_strict or stage.wedged:
        stage.lost(proof)


ACTS = (
    Act("abandoned-proof", Text("A wallet takes a proof and never sends it; others are refused on "
                                "chain.",
        "あるウォレットが証明を受け取ったまま送信せず、後続の claim がチェーン上で拒否されます。"), abandoned),
    Act("abandoned-quiet", Text("A wallet takes a proof and never sends it; the others simulate "
                                "first and send nothing.",
        "あるウォレットが証明を受け取ったまま送信せず、ほかのウォレットは事前シミュレーションで止まります。"), abandoned_quiet),
    Act("quiet-tail", Text("The newest proof is never sent, and nobody comes after.",
        "最後の証明が送信されず、そのあと誰も claim しません。"), never_sent),
    Act("genesis-abandoned", Text("The grant's very first proof is never sent.",
        "グラントの最初の証明が送信されません。"), abandoned, eras=STRICT, begins=True),
    Act("in-flight", Text("Evidence is taken seconds after a proof was issued: it may still land.",
        "証明の発行直後に証拠を集めます。まだ取り込まれる可能性があります。"),
        in_flight, eras=STRICT, mixes=False, ends=True, wait=(15, 300)),
)  # fmt: skip
