"""What the verbs of `popkit cutover` do and say. The work is in `planning`, `run` and `steps`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.errors import EXIT_FINE, UsageError
from popkit.output import say, show
from popkit.texts import Language, Text

if TYPE_CHECKING:
    from popkit.cutover.pages.screen import Screen
    from popkit.cutover.run import Run
    from popkit.cutover.steps import Step

EXISTS = Text("{place}: exists already; a run is made once", "{place}: すでにあります。実行のフォルダーは一度だけ作成します")
PLANNED = Text(
    "Plan written: {place}. Nothing was changed anywhere. Read {page}, aloud and by two.",
    "計画を書き出しました: {place}。何も変更していません。{page} を二人で読み上げて確認してください。",
)
WROTE = Text("wrote {place}", "{place} を書き出しました")
ONLY_STEP_3 = Text("--tick is for step 3", "--tick は手順 3 のためのものです")
NEEDS_CONFIRM = Text(
    "step {step} changes something: it needs --confirm TOKEN:VALUE, not --act",
    "手順 {step} は変更を伴います。--act でなく --confirm TOKEN:VALUE が必要です",
)


def _shown(screen: Screen, language: Language) -> int:
    show(screen.text(language))
    return screen.exit_code


def plan(case: str, grant: str, rpc: str | None, second_rpc: str | None, worker: str | None, worker_token_env: str | None,
    authority_key: str | None, funder_key: str | None, wallet_key: str | None, amount: int | None, event_title: str | None,
    event_date: str | None, event_host: str | None, start: int | None, expires: int | None, signer: str | None, reason: str | None,
    given_up: tuple[str, ...], fee_cap: int | None, close_old: bool, offline: bool, out: str, language: Language) -> int:  # fmt: skip
    """Look at everything, plan, and write the run."""
    from contextlib import nullcontext

    import popkit
    from popkit.commands.places import case_directory
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
    authority = read_key(authority_key, "authority", place) if authority_key and not offline else None
    funder = read_key(funder_key, "funder", place) if funder_key and not offline else None
    with nullcontext((None, None)) if offline else planning_peers(local) as (pair, desk):
        request = Request(
            case=popkit.open_case(source),
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


def _open(run: str, language: Language, **local: str | None) -> Run:
    from popkit.cutover.run import open_run

    return open_run(Path(run), language=language, **local)


def show_run(run: str, step: str | None, language: Language) -> int:
    """The plan, or one step."""
    with _open(run, language) as opened:
        return _shown(opened.show() if step is None else opened.step(step).show(), language)


def status(run: str, language: Language) -> int:
    """Where the run stands."""
    with _open(run, language) as opened:
        return _shown(opened.status(), language)


def step(run: str, step: str, confirm: str | None, tick: tuple[str, ...], act: bool, wait_over: bool, language: Language,
    **peers: str | None) -> int:  # fmt: skip
    """A dry run of a step, or with a confirmation the step itself."""
    from popkit.cutover.steps.freeze import Freeze

    with _open(run, language, **peers) as opened:
        chosen = opened.step(step)
        if isinstance(chosen, Freeze):
            chosen.wait_over = wait_over
        if tick:
            return _ticked(chosen, tick, language)
        if act and chosen.plan.value and confirm is None:
            raise UsageError(NEEDS_CONFIRM(step=step))
        return _shown(chosen.act(confirm) if confirm is not None or act else chosen.dry(), language)


def _ticked(chosen: Step, ticks: tuple[str, ...], language: Language) -> int:
    """Write down what was changed of step 3's list. Raises UsageError for another step, or for what is no item."""
    from popkit.cutover.steps.history import ForkHandling

    if not isinstance(chosen, ForkHandling):
        raise UsageError(ONLY_STEP_3())
    screen = None
    for text in ticks:
        number, _, value = text.partition("=")
        screen = chosen.tick(int(number) if number.isdecimal() else 0, value)
    assert screen is not None
    return _shown(screen, language)


def resolve(run: str, step: str, language: Language, **peers: str | None) -> int:
    """Settle an outcome that is not known, or say what a person can decide."""
    from popkit.cutover.resolving import resolve as settle

    with _open(run, language, **peers) as opened:
        return _shown(settle(opened, step), language)


def export(run: str, step: str, target: str, out: str, language: Language) -> int:
    """Write a step's inner instructions for a multisig's own tool."""
    from popkit.cutover.planning.stepping import call_of
    from popkit.cutover.sending.multisig import export as exported

    with _open(run, language) as opened:
        chosen = opened.plan.step(step)
        place = Path(out)
        if place.exists():
            raise UsageError(EXISTS(place=place))
        calls = [call_of(one) for one in chosen.instructions]
        body = exported(calls, opened.plan.roles.authority)
        place.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
        opened.journal.write("exported", step, target=target)
        say([WROTE(place=place).in_language(language)])
        return EXIT_FINE


def readback(run: str, step: str, address: str, language: Language, **peers: str | None) -> int:
    """Compare what lies in a multisig's proposal with the plan."""
    from popkit.cutover.resolving import read_proposal

    with _open(run, language, **peers) as opened:
        return _shown(read_proposal(opened, step, address), language)


def abandon(run: str, confirm: str | None, language: Language, **peers: str | None) -> int:
    """Give the new grant up."""
    from popkit.cutover.abandoning import abandon as give_up

    with _open(run, language, **peers) as opened:
        return _shown(give_up(opened, confirm), language)


def record(run: str, language: Language) -> int:
    """Write the record as of now."""
    from popkit.cutover.records.record import write_record

    with _open(run, language) as opened:
        say([WROTE(place=write_record(opened)).in_language(language)])
        return EXIT_FINE


def verify(record: str, rpc: str, language: Language) -> int:
    """Hold a record against the chain."""
    from popkit.cutover.records.verifying import verify_record

    return _shown(verify_record(Path(record), rpc), language)
