"""`popkit cutover plan`: look at everything, and write a run that can be carried out step by step."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from popkit.command_line.grammar import Number, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import case_argument, case_directory
from popkit.commands.cutover import EXISTS, peer_options
from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say, show
from popkit.texts import Language, Text

SUMMARY = Text(
    "look at everything and plan; refuses with a reason, changes nothing",
    "すべてを確認して計画を作成（変更なし。拒否には理由を表示）",
)
GRANT = Text(
    "the broken grant, or the beginning of its key", "壊れた grant（公開鍵またはその先頭）"
)
AMOUNT = Text(
    "base units for the new vault; else what is reckoned",
    "新しい vault への入金額（基本単位）。省略時は計算値",
)
TITLE = Text("the new event's title; else the old one's", "新イベントの名称。省略時は元のもの")
DATE = Text("the new event's date; else the old one's", "新イベントの日時。省略時は元のもの")
HOST = Text("the new event's host; else the old one's", "新イベントの主催。省略時は元のもの")
START = Text(
    "the new grant's start; else the latest old period boundary",
    "新しい grant の開始（UNIX 秒）。省略時は直近の期間の境界",
)
EXPIRES = Text(
    "the new grant's expiry, 0 for never; else the old one's",
    "新しい grant の期限（UNIX 秒、0 は無期限）。省略時は元と同じ",
)
SIGNER = Text(
    "the worker's key, typed from a second source",
    "worker の鍵（別の情報源から確認して入力）",
)
REASON = Text("why a refusal is overridden", "拒否を上書きする理由")
GIVEN_UP = Text("a new grant that was abandoned before", "以前に放棄した新しい grant")
FEE_CAP = Text(
    "lamports that one transaction may cost (100000)",
    "取引 1 件の手数料の上限（100000 lamports）",
)
CLOSE_OLD = Text(
    "close the old grant for its tokens: read the harm on the plan page",
    "元の grant を閉じてトークンを回収（計画ページの害を確認）",
)
OFFLINE = Text(
    "a draft from the case alone, which can never be run",
    "ケースだけから作る下書き（実行不可）",
)
OUT = Text("the run to make; must not exist", "作成する実行のフォルダー（まだないこと）")
PLANNED = Text(
    "Plan written: {place}. Nothing was changed anywhere. Read {page}, aloud and by two.",
    "計画を書き出しました: {place}。何も変更していません。{page} を二人で読み上げて確認してください。",
)
EXAMPLES = (
    Example(
        "popkit cutover plan CASE --grant OLD --rpc env:RPC --second-rpc env:RPC2 --worker URL"
        " --worker-token-env TOKEN --authority-key env:KEY --out RUN",
        Text("the whole plan", "計画全体"),
    ),
    Example(
        "popkit cutover plan CASE --grant OLD --offline --out DRAFT",
        Text("a draft to read", "読むだけの下書き"),
    ),
)


def run(
    case: str,
    grant: str,
    rpc: str | None,
    second_rpc: str | None,
    worker: str | None,
    worker_token_env: str | None,
    authority_key: str | None,
    funder_key: str | None,
    wallet_key: str | None,
    amount: int | None,
    event_title: str | None,
    event_date: str | None,
    event_host: str | None,
    start: int | None,
    expires: int | None,
    signer: str | None,
    reason: str | None,
    given_up: tuple[str, ...],
    fee_cap: int | None,
    close_old: bool,
    offline: bool,
    out: str,
    language: Language,
) -> int:
    """Look at everything, plan, and write the run."""
    from popkit.case import open_case
    from popkit.cutover import plan as plans
    from popkit.cutover.local import Local, planning_peers
    from popkit.cutover.pages.pages import NAMES, plan_screen
    from popkit.cutover.planning.linking import Wanted
    from popkit.cutover.planning.making import Request, make_plan
    from popkit.cutover.run import create_run
    from popkit.cutover.signing.keys import read_key
    from popkit.cutover.signing.quiet import silence
    from popkit.evidence.outside import refuse_inside

    silence()
    place = Path(out)
    if place.exists():
        raise UsageError(EXISTS(place=place))
    source = case_directory(case, "cutover plan")
    refuse_inside(place, source)
    local = Local(rpc, second_rpc, worker, worker_token_env, authority_key, funder_key, wallet_key)
    has_keys = not offline
    authority = read_key(authority_key, "authority", place) if authority_key and has_keys else None
    funder = read_key(funder_key, "funder", place) if funder_key and has_keys else None
    with nullcontext((None, None)) if offline else planning_peers(local) as (pair, desk):
        request = Request(
            case=open_case(source),
            grant=grant,
            pair=pair,
            desk=desk,
            authority_key=authority,
            funder_key=funder,
            amount=amount,
            wanted=Wanted(event_title, event_date, event_host),
            start=start,
            expires=expires,
            signer=signer,
            reason=reason,
            given_up=given_up,
            close_old=close_old,
            **({} if fee_cap is None else {"fee_cap": fee_cap}),
        )
        made = make_plan(request)
    create_run(place, made, local)
    screen = plan_screen(made, plans.digest(made), str(place))
    show(screen.text(language))
    say(["", PLANNED(place=place, page=place / NAMES[language]).in_language(language)])
    return EXIT_FINE


VERB = Verb(
    "plan",
    run,
    [
        case_argument(),
        Option("--grant", words=GRANT, required=True, metavar="OLD"),
        *peer_options(),
        Option("--amount", words=AMOUNT, type=Number(), metavar="N"),
        Option("--event-title", words=TITLE, metavar="T"),
        Option("--event-date", words=DATE, metavar="D"),
        Option("--event-host", words=HOST, metavar="H"),
        Option("--start", words=START, type=Number(), metavar="UNIX"),
        Option("--expires", words=EXPIRES, type=Number(), metavar="UNIX"),
        Option("--signer", words=SIGNER, metavar="KEY"),
        Option("--reason", words=REASON, metavar="WHY"),
        Option("--given-up", words=GIVEN_UP, multiple=True, metavar="GRANT"),
        Option("--fee-cap", words=FEE_CAP, type=Number(), metavar="N"),
        Option("--close-old", words=CLOSE_OLD, is_flag=True),
        Option("--offline", words=OFFLINE, is_flag=True),
        Option("--out", words=OUT, required=True, type=Place("dir"), metavar="RUN"),
    ],
    order=10,
    summary=SUMMARY,
    examples=EXAMPLES,
)
