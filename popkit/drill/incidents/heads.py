"""The worker's own heads go wrong: a backup put back, storage emptied, two keys torn apart."""

from __future__ import annotations

from popkit.drill.incidents.act import STRICT, Act
from popkit.drill.stage import Stage
from popkit.texts import Text


def _refuse(stage: Stage, cause: str) -> None:
    """Wallets come and are refused, as the worker points elsewhere than the chain."""
    stage.wedged, stage.remedy = True, "switch"
    stage.causes.add(cause)
    for _ in range(stage.chance.randint(1, 3)):
        wallet = stage.wallet()
        proof = stage.proof(wallet)
        stage.began = stage.began or proof.issued_at
        assert stage.send(wallet, proof).err is not None
        stage.behind.append(proof)


def rollback(stage: Stage) -> None:
    backup = stage.worker.backup()
    stage.claims(1, 3)
    stage.worker.restore(backup, only_heads=True)
    _refuse(stage, "worker_head_rollback")


def reset(stage: Stage) -> None:
    stage.worker.heads.clear()
    _refuse(stage, "worker_head_reset")


def stream(stage: Stage) -> None:
    stage.worker.heads[stage.grant.address][1] = stage.chance.choice(["0" * 64, "ab" * 32])
    _refuse(stage, "stream_divergence")


ACTS = (
    Act("worker-head-rollback", Text("A backup of the worker's heads is put back, and its next "
                                     "proofs stand on an old entry.",
        "worker のヘッドがバックアップに戻され、次の証明が古いエントリーを指します。"), rollback, eras=STRICT, mixes=False),
    Act("worker-head-reset", Text("The worker's heads are emptied; it starts from GENESIS on a "
                                  "grant that has state.",
        "worker のヘッドが消え、状態のあるグラントで GENESIS から始まります。"), reset, eras=STRICT, mixes=False),
    Act("stream-divergence", Text("The worker's stream head is torn from its global one.",
        "worker のストリームヘッドがグローバルヘッドと食い違います。"), stream, eras=STRICT, mixes=False),
)  # fmt: skip
