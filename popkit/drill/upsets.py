"""What can be made to go wrong in a running drill, or right again: of the worker, the nodes, and by
other people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha512
from typing import TYPE_CHECKING

from popkit.drill.counter import proof_for
from popkit.drill.faults import split
from popkit.drill.proofs import iso
from popkit.drill.rotation import Rotation
from popkit.drill.security import REASON
from popkit.drill.stage import ERAS
from popkit.drill.store import LATER
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.drill.people import Hands

MOST_ANSWERS, MOST_SECONDS = 1000, 3600.0


@dataclass(frozen=True, slots=True)
class Upset:
    """One thing that can be done to a drill: what it does, in words, and the hand that does it with
    the value that is given.
    """

    effect: Text
    do: Callable[[Hands, str], object]


def _down(hands: Hands, value: str) -> None:
    hands.drill.desk.down = True


def _up(hands: Hands, value: str) -> None:
    hands.drill.desk.down = False


def _sink_fails(hands: Hands, value: str) -> None:
    hands.drill.worker.failing = ("API_POST", "POP_CLAIM", "WALLET")


def _sink_missing(hands: Hands, value: str) -> None:
    hands.drill.desk.sinkless = True


def _sink_works(hands: Hands, value: str) -> None:
    hands.drill.worker.failing, hands.drill.desk.sinkless = (), False


def _back_up(hands: Hands, value: str) -> None:
    hands.backup = hands.drill.worker.backup()


def _restore(hands: Hands, value: str) -> None:
    if hands.backup is None:
        raise ValueError("restore needs a backup first")
    hands.drill.worker.restore(hands.backup)


def _rotate(hands: Hands, value: str) -> None:
    hands.drill.worker.key = hands.drill.world.key(hands.somebody("rotated"))


def _rotate_by_calendar(hands: Hands, value: str) -> None:
    """The seed's first key differs from the one in pop-config, as when a deployment switches the
    rotation on.
    """
    _is_later(hands)
    seed = sha512(f"{hands.drill.world.name}/hd seed".encode()).digest()
    hands.drill.worker.rotation = Rotation(seed, _whole(value or "30", 400))


def _clock(hands: Hands, value: str) -> None:
    hands.drill.worker.offset_ms += int(1000 * float(value or 0))


def _double(hands: Hands, value: str) -> None:
    worker, world = hands.drill.worker, hands.drill.world
    grant, _ = hands.newest()
    clone = worker.clone(hands.somebody("double"))
    clone.receipts, clone.claims = dict(worker.receipts), dict(worker.claims)
    wallet = hands.somebody("guest")
    proof = clone.issue(
        grant.address,
        world.address(wallet),
        expected=world.head(grant) if worker.model in LATER else None,
    )
    world.claim(grant, proof, wallet)


def _answers(fate: str) -> Callable[[Hands, str], object]:
    def do(hands: Hands, value: str) -> None:
        hands.drill.desk.fates += [fate] * _whole(value or "1", MOST_ANSWERS)

    return do


def _late(hands: Hands, value: str) -> None:
    hands.drill.desk.fates.append(f"late:{_seconds(value or '30')}")


def _limit(hands: Hands, value: str) -> None:
    _is_later(hands)
    hands.drill.desk.limits.shut(_seconds(value or "120"), hands.drill.desk.now)


def _warn(hands: Hands, value: str) -> None:
    _is_later(hands)
    hands.drill.desk.security.attempts += [hands.drill.desk.now] * 2


def _freeze(hands: Hands, value: str) -> None:
    _is_later(hands)
    security = hands.drill.desk.security
    security.frozen = {
        "frozenAt": iso(hands.drill.worker.clock),
        "reason": REASON,
        "warningId": security.warning or "warn-0000000000-1",
    }


def _thaw(hands: Hands, value: str) -> None:
    hands.drill.desk.security.frozen = None


def _link(hands: Hands, value: str) -> None:
    """Another operator links the grant of that id, of the newest event's authority and mint, to an
    event of their own.
    """
    grant, _ = hands.newest()
    links = {
        "solanaMint": grant.mint,
        "solanaAuthority": grant.authority,
        "solanaGrantId": str(_whole(value, (1 << 64) - 1)),
    }
    row = {
        "title": "Another event",
        "datetime": "2026/02/22 10:00-12:00",
        "host": "Another council",
        "state": "draft",
        **links,
    }
    hands.drill.worker.create_event(
        {**row, "ticketTokenAmount": 1, "claimIntervalDays": 30, "maxClaimsPerInterval": 1}
    )


def _make(hands: Hands, value: str) -> None:
    """Another operator with the same key makes the grant of that id first."""
    hands.drill.world.grant(_whole(value, (1 << 64) - 1), fund=0, link=False)


def _ask_early(hands: Hands, value: str) -> None:
    """Somebody guesses the address of a grant that was not announced, and asks for a proof of it."""
    _, event = hands.newest()
    proof_for(
        hands.drill.desk, event, value, hands.drill.world.address(hands.somebody("early bird"))
    )


def _deploy(hands: Hands, value: str) -> None:
    if value not in ERAS:
        raise ValueError(f"expected one of {', '.join(ERAS)}, observed {value or 'nothing'}")
    hands.drill.world.upgrade(value)


def _node(number: int) -> Callable[[Hands, str], object]:
    def do(hands: Hands, value: str) -> None:
        if len(hands.drill.nodes) <= number:
            raise ValueError("the nodes do not listen")
        specs = [] if value in ("", "well") else value.split(",")
        faults, living = split(specs, hands.drill.seed + number)
        hands.drill.nodes[number].suffer(faults, living)

    return do


def _lag(hands: Hands, value: str) -> None:
    if len(hands.drill.nodes) < 2:
        raise ValueError("the nodes do not listen")
    hands.drill.nodes[1].live.behind = _whole(value, 10_000)


def _is_later(hands: Hands) -> None:
    if hands.drill.worker.model not in LATER:
        raise ValueError(
            f"a worker of model {hands.drill.worker.model} has no such guard; "
            f"{' and '.join(LATER)} have"
        )


def _whole(value: str, most: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > most:
        raise ValueError(f"expected a whole number up to {most}, observed {value or 'nothing'}")
    return int(value)


def _seconds(value: str) -> float:
    if not 0 <= float(value) <= MOST_SECONDS:
        raise ValueError(f"expected from 0 to {MOST_SECONDS:.0f} seconds, observed {value}")
    return float(value)


UPSETS = {
    "worker-down": Upset(Text("The worker answers nothing but 503.", "worker は 503 だけを返します。"), _down),
    "worker-up": Upset(Text("The worker answers again.", "worker の応答が元に戻りました。"), _up),
    "sink-fails": Upset(Text("The immutable sink takes nothing: proofs and claims end with 503.",
        "不変シンクが何も受け付けません。証明と claim は 503 で終わります。"), _sink_fails),
    "sink-missing": Upset(Text("The immutable sink is not configured: every change ends with 503 "
                               "before anything is done.",
        "不変シンクが設定されていません。変更はすべて、何もされないまま 503 で終わります。"), _sink_missing),
    "sink-works": Upset(Text("The immutable sink works again.", "不変シンクが元に戻りました。"), _sink_works),
    "backup": Upset(Text("A backup of the worker's storage was taken.", "worker のストレージのバックアップを取りました。"), _back_up),
    "restore": Upset(Text("The backup was put back; the bucket stays.", "バックアップを戻しました。バケットはそのままです。"), _restore),
    "key-rotated": Upset(Text("The worker signs with a new key; pop-config names the old one.",
        "worker は新しい鍵で署名しますが、pop-config は古い鍵を指しています。"), _rotate),
    "key-by-calendar": Upset(Text("The worker's key is derived from a seed and changes every so "
                                  "many days (30).",
        "worker の鍵はシードから導出され、指定の日数（30 日）ごとに替わります。"), _rotate_by_calendar),
    "clock": Upset(Text("The worker's clock was moved.", "worker の時計を動かしました。"), _clock),
    "doubled": Upset(Text("A second worker with a copy of the key issued a proof, which was sent.",
        "鍵の複製を持つ別の worker が証明を発行し、それが送信されました。"), _double),
    "answer-502": Upset(Text("The worker does what it is next asked to change, but a 502 page is "
                             "the answer (once, or so many times).",
        "worker は次の変更を実行しますが、応答は 502 のページになります（1 回、または指定の回数）。"), _answers("502")),
    "answer-lost": Upset(Text("The worker does what it is next asked to change, and nothing "
                              "answers (once, or so many times).",
        "worker は次の変更を実行しますが、応答は届きません（1 回、または指定の回数）。"), _answers("lost")),
    "answer-late": Upset(Text("The worker does what it is next asked to change, and answers late "
                              "(by 30 seconds).",
        "worker は次の変更を実行し、遅れて応答します（30 秒）。"), _late),
    "limited": Upset(Text("The worker answers 429 for a while (120 seconds).", "worker はしばらく 429 を返します（120 秒）。"), _limit),
    "warned": Upset(Text("The next event is met with a security warning (409).",
        "次のイベント作成はセキュリティ警告（409）になります。"), _warn),
    "frozen": Upset(Text("The operator is frozen: 423 until somebody unlocks.",
        "管理者が凍結されました。解除されるまで 423 が返ります。"), _freeze),
    "thawed": Upset(Text("The operator is not frozen any more.", "管理者の凍結が解けました。"), _thaw),
    "linked": Upset(Text("Another operator linked the grant of that id to an event: 409.",
        "別の管理者がその ID のグラントをイベントに紐付けました。409 になります。"), _link),
    "made": Upset(Text("Another operator made the grant of that id.", "別の管理者がその ID のグラントを作成しました。"), _make),
    "asked-early": Upset(Text("Somebody asked for a proof of that grant.", "誰かがそのグラントの証明を要求しました。"), _ask_early),
    "program": Upset(Text("The program of that version was deployed.", "その版のプログラムが配備されました。"), _deploy),
    "node": Upset(Text("The first node has these faults alone (a comma between them, 'well' for "
                       "none).",
        "1 台目のノードの障害はこれだけになりました（コンマ区切り、`well` で解消）。"), _node(0)),
    "second-node": Upset(Text("The second node has these faults alone (a comma between them, "
                              "'well' for none).",
        "2 台目のノードの障害はこれだけになりました（コンマ区切り、`well` で解消）。"), _node(1)),
    "second-behind": Upset(Text("The second node lags so many slots.", "2 台目のノードは指定のスロット数だけ遅れます。"), _lag),
}  # fmt: skip
