"""Proofs that are sent and refused by a rule that is not the chain's: they are burnt."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha512
from typing import Any

from popkit.drill.incidents.act import RELAXED, Act
from popkit.drill.proofs import GENESIS
from popkit.drill.rotation import Rotation
from popkit.drill.stage import WORDS, Stage
from popkit.texts import Text

Change = Callable[[Stage], object]


def _burn(
    stage: Stage,
    before: Change = lambda stage: None,
    after: Change = lambda stage: None,
    **shape: Any,
) -> None:
    """A wallet takes a proof, something changes, the wallet sends."""
    wallet = stage.wallet()
    proof = stage.proof(wallet)
    before(stage)
    landed = stage.send(wallet, proof, **shape)
    assert landed.err is not None, "the proof was to be burnt"
    reason = WORDS.get(landed.error if landed.error is not None else -1)
    stage.lost(proof, *([reason] if reason else []))
    after(stage)


def paused(stage: Stage) -> None:
    _burn(
        stage,
        lambda at: at.switch("set_paused", {"paused": True}),
        lambda at: at.switch("set_paused", {"paused": False}),
    )


def expired(stage: Stage) -> None:
    _burn(stage, lambda at: at.wait(602, 900))


def not_listed(stage: Stage) -> None:
    _burn(
        stage,
        lambda at: at.switch("set_allowlist_root", {"merkle_root": "77" * 32}),
        lambda at: at.switch("set_allowlist_root", {"merkle_root": GENESIS}),
        list_proof=[b"\1" * 32],
    )


def vault_empty(stage: Stage) -> None:
    """The vault holds as many tokens as were claimed, and one more wallet comes."""
    held = stage.world.ledger.tokens[stage.grant.vault].amount
    for _ in range(held):
        wallet = stage.wallet()
        landed = stage.send(wallet, stage.proof(wallet))
        assert landed.err is None, landed.err
        stage.tell(wallet, landed)
    _burn(stage)


def grant_expired(stage: Stage) -> None:
    terms = stage.world.ledger.grants[stage.grant.address]
    stage.wait(max(0, terms.expires_at - 200 - stage.world.now))
    _burn(stage, lambda at: at.wait(210, 300))


def wrong_period(stage: Stage) -> None:
    """A wallet takes its proof in the last minutes of a period and sends it in the next."""
    terms = stage.world.ledger.grants[stage.grant.address]
    period = (stage.world.now - terms.start_ts) // terms.period_seconds
    end = terms.start_ts + (period + 1) * terms.period_seconds
    stage.wait(max(0, end - 200 - stage.world.now))
    _burn(stage, lambda at: at.wait(210, 300))


def duplicate(stage: Stage) -> None:
    """Somebody claims twice in one period."""
    wallet = stage.wallet()
    proof = stage.proof(wallet)
    first = stage.send(wallet, proof)
    stage.tell(wallet, first) if first.err is None else stage.lost(proof)
    again = stage.proof(wallet)
    if (
        again.entry == proof.entry
    ):  # the newest worker hands the same proof out again, which burns nothing
        return
    landed = stage.send(wallet, again)
    if (
        stage.is_strict
    ):  # under relaxed rules nothing is burnt of somebody who has what the proof was for
        stage.lost(again, *(["duplicate_claim"] if landed.error == 0 else []))
    if first.err is None:
        stage.affected.discard(stage.address(wallet))


def signer(stage: Stage) -> None:
    """The worker's key is rotated, pop-config is not."""
    stage.worker.key = stage.world.key(f"signer {stage.seed} {len(stage.world.landed)}")
    stage.causes.add("signer_mismatch")
    stage.critical, stage.remedy = True, "signer" if not stage.is_strict else None
    _burn(stage)


def _by_calendar(stage: Stage) -> None:
    """The worker's key is derived from a seed and pop-config names the first; claims, and then the
    day on which the key changes.
    """
    stage.worker.rotation = Rotation(sha512(f"{stage.world.name}/hd seed".encode()).digest())
    stage.claims()
    stage.wait(stage.worker.rotation.next(stage.world.now) - stage.world.now + 1)
    stage.wait(0, 7200)


def rotated_by_calendar(stage: Stage) -> None:
    """Nobody names the new key: every claim is refused from that midnight (UTC) on."""
    _by_calendar(stage)
    stage.causes.add("signer_mismatch")
    stage.critical, stage.remedy = True, "signer"
    _burn(stage)


def rotated_and_named(stage: Stage) -> None:
    """The new key is named in time, and claims go on."""
    _by_calendar(stage)
    stage.name_signer(stage.worker.signer)
    stage.claims(1, 3)


ACTS = (
    Act("paused-midway", Text("The grant is paused while a wallet holds a proof.",
        "ウォレットが証明を持っている間にグラントが一時停止されます。"), paused),
    Act("expired-proof", Text("A wallet sends its proof more than ten minutes late.",
        "ウォレットが証明を10分以上遅れて送信します。"), expired),
    Act("not-in-allowlist", Text("A wallet outside the allowlist claims, and its proof is burnt.",
        "許可リストにないウォレットが claim し、その証明が失われます。"), not_listed),
    Act("vault-empty", Text("The vault runs dry, and one more wallet claims.",
        "金庫の残高が尽きたあとに、もう一つのウォレットが claim します。"), vault_empty, terms={"fund": 8}),
    Act("grant-expired", Text("The grant expires while a wallet holds a proof.",
        "ウォレットが証明を持っている間にグラントの期限が切れます。"), grant_expired, terms={"expires_in": 3000}),
    Act("wrong-period", Text("A wallet takes its proof in one period and sends it in the next.",
        "ある期間に受け取った証明を、次の期間になってから送信します。"), wrong_period, terms={"period_seconds": 3600, "start_ago": 120}),
    Act("duplicate-claim", Text("Somebody claims twice in one period.",
        "同じ期間に同じ人が二度 claim します。"), duplicate),
    Act("signer-mismatch", Text("The worker's key is rotated and pop-config is not.",
        "worker の鍵だけが交換され、pop-config は古いままです。"), signer, ends=True),
    Act("key-by-calendar", Text("The worker's key changes by the calendar at midnight, and "
                                "pop-config names the old one.",
        "worker の鍵が暦に従って深夜に替わり、pop-config は古い鍵を指したままです。"),
        rotated_by_calendar, eras=RELAXED, begins=True, mixes=False),
    Act("key-by-calendar-named", Text("The worker's key changes by the calendar, and pop-config "
                                      "follows in time.",
        "worker の鍵が暦に従って替わり、pop-config も間に合って更新されます。"),
        rotated_and_named, eras=RELAXED, begins=True, mixes=False),
)  # fmt: skip
