"""Look-alikes: things that happen and are no incident."""

from __future__ import annotations

from popkit.drill.incidents.act import Act
from popkit.drill.proofs import sign_proof
from popkit.drill.stage import ERAS, Stage
from popkit.texts import Text


def nothing(stage: Stage) -> None:
    stage.claims(1, 3)


def unused(stage: Stage) -> None:
    """The grant is made, and nobody comes."""
    stage.claims(0, 0)
    assert stage.grant.address


def pause_retry(stage: Stage) -> None:
    """Refused while paused, accepted in time afterwards: nothing was burnt."""
    if stage.wedged:
        return
    wallet = stage.wallet()
    proof = stage.proof(wallet)
    stage.switch("set_paused", {"paused": True})
    assert stage.send(wallet, proof).err is not None
    stage.switch("set_paused", {"paused": False})
    assert stage.send(wallet, proof).err is None


def resent(stage: Stage) -> None:
    """One proof is sent twice."""
    if stage.wedged:
        return
    wallet = stage.wallet()
    proof = stage.proof(wallet)
    landed = stage.send(wallet, proof)
    stage.tell(wallet, landed)
    stage.world.claim(stage.grant, proof, wallet)
    stage.wait(2)


def stranger(stage: Stage) -> None:
    """Somebody lands failing claims with a key that nobody named."""
    mallory = f"mallory {stage.seed}"
    proof = sign_proof(
        stage.world.key(mallory), stage.grant.address, stage.address(mallory), 0, stage.world.head(stage.grant), "0" * 64, "ab" * 32,
        stage.world.now,
    )  # fmt: skip
    assert stage.world.claim(stage.grant, proof, mallory).err is not None
    stage.wait(2)


def rotated(stage: Stage) -> None:
    """The worker's key and pop-config change together."""
    stage.worker.key = stage.world.key(f"signer {stage.seed} {len(stage.world.landed)}")
    stage.name_signer(stage.worker.signer)
    if not stage.wedged:
        stage.claims(1, 2)


ACTS = (
    Act("intact", Text("Nothing goes wrong.", "何も起きません。"), nothing, eras=ERAS, mixes=False, wait=(15, 300)),
    Act("unused", Text("A grant is ready, and nobody has claimed yet.", "グラントは準備済みで、まだ誰も claim "
                                                                        "していません。"),
        unused, eras=ERAS, begins=True, mixes=False),
    Act("pause-retry", Text("A claim is refused while the grant is paused and accepted afterwards.",
        "一時停止中に拒否された claim が、再開後に受理されます。"), pause_retry),
    Act("resent", Text("One proof is sent twice.", "同じ証明が二度送信されます。"), resent),
    Act("stranger", Text("A stranger lands failing claims on the grant.", "第三者が失敗する claim "
                                                                          "をグラントに送ります。"), stranger),
    Act("signer-rotated", Text("The worker's key and pop-config change together.",
        "worker の鍵と pop-config が同時に交換されます。"), rotated, mixes=False),
)  # fmt: skip
