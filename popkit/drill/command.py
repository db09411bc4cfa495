"""`popkit drill`: its verbs, what each takes, and what it says. The work is in `running`, `rehearsal` and `people`."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from popkit.errors import EXIT_FINE, EXIT_WRONG, UsageError
from popkit.texts import Language, Moment, Text, chosen_language, speak

if TYPE_CHECKING:
    from popkit.drill.incidents import Incident
    from popkit.drill.rehearsal import Compared

ERAS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")

STARTED = Text("A drill runs. Everything in it is made up, and nothing leaves this machine.",
    "演習を開始しました。すべて架空のもので、このマシンの外には出ません。")  # fmt: skip
SEALED = Text("The answer is sealed: SHA-256 {digest}", "答えは封印されています: SHA-256 {digest}")
NEXT = Text("Next, type:", "次に入力するもの:")
PASSED = Text("It is {now} now, slot {slot}.", "現在 {now}、スロット {slot} です。")
HAPPENED = Text("What happened: {told}", "起きたこと: {told}")
TRUE = Text("What was true when the drill began:", "演習開始時点での正しい答え:")
HOLDS = Text("The seal holds: these bytes have the digest that stood at the start.",
    "封印は有効です。開始時に示したダイジェストと一致します。")  # fmt: skip
STOPPED = Text("The drill has ended; its folder stays: {folder}", "演習を終了しました。フォルダーは残ります: {folder}")
CASE_WRITTEN = Text("Case written: {case}. Its answer: {answer}", "ケースを書き出しました: {case}。答え: {answer}")
ALL_RIGHT = Text("{right} of {count} answers are right", "{count}件中{right}件の答えが正しい")
UNKNOWN = Text("{name}: no such incident; 'popkit drill list' shows them",
    "{name}: その名前の演習はありません。'popkit drill list' で一覧を表示します")  # fmt: skip
NEVER = Text("{name} cannot happen in {era}; it can in {eras}", "{name} は {era} では起こりません。可能な版: {eras}")


def _language(option: str | None) -> Language:
    return chosen_language(option, os.environ)


def _say(text: object, language: Language) -> None:
    click.echo(speak(text, language))


def incident_of(name: str, era: str | None) -> tuple[Incident, str]:
    """An incident by name and an era that it can happen in. Raises UsageError."""
    from popkit.drill.incidents import INCIDENTS
    from popkit.texts import Listed

    incident = INCIDENTS.get(name)
    if incident is None:
        raise UsageError(str(UNKNOWN(name=name)))
    chosen = era or ("strict" if "strict" in incident.eras else incident.eras[0])
    if chosen not in incident.eras:
        raise UsageError(str(NEVER(name=name, era=chosen, eras=Listed(incident.eras))))
    return incident, chosen


language_option = click.option("--lang", type=click.Choice(["en", "ja"]), help="the language of what is said")
folder_option = click.option("--drill", "folder", type=click.Path(path_type=Path), default=Path("drill"), show_default=True,
    help="the folder of the running drill")  # fmt: skip


@click.group("drill", help="Rehearse: the whole system alive on loopback, with an incident that happens.")
def drill() -> None:
    """The verb; its own verbs stand below."""


@drill.command("list", help="Show every incident, each in a sentence, with the eras it can happen in.")
@click.option("--all", "everything", is_flag=True, help="the mixtures of two as well")
@language_option
def list_incidents(everything: bool, lang: str | None) -> None:
    """Print the incidents."""
    from popkit.drill.incidents import INCIDENTS

    language = _language(lang)
    for incident in INCIDENTS.values():
        if everything or len(incident.acts) == 1:
            click.echo(f"{incident.name:<24} {speak(incident.told, language)}  ({', '.join(incident.eras)})")


@drill.command(help="Bring a drill up in the background. Without a NAME the incident is a surprise.")
@click.argument("name", required=False)
@click.option("--era", type=click.Choice(ERAS), help="which program is deployed")
@click.option("--seed", type=int, default=None, help="the same seed gives the same world; by default a new one")
@click.option("--out", type=click.Path(path_type=Path), default=Path("drill"), show_default=True, help="the drill's folder")
@click.option("--slot-ms", type=click.IntRange(50, 2000), default=200, show_default=True, help="milliseconds a slot")
@click.option("--fault", "faults", multiple=True, metavar="KIND[:VALUE]",
    help="a fault of the first node: those of popkit serve, and lost-answer, late, dropped, null-status, other-genesis, …")
@click.option("--second-fault", "second_faults", multiple=True, metavar="KIND[:VALUE]", help="a fault of the second node")
@click.option("--behind", type=click.IntRange(0, 10_000), default=0, help="slots that the second node lags")
@language_option
def start(name: str | None, era: str | None, seed: int | None, out: Path, slot_ms: int, faults: tuple[str, ...],
    second_faults: tuple[str, ...], behind: int, lang: str | None) -> None:  # fmt: skip
    """Start a drill and say where it is, and what to type next."""
    from popkit.drill import running
    from popkit.drill.faults import split

    for specs in (faults, second_faults):
        split(specs, 0)  # refuses what is no fault, before anything is started
    language, number = _language(lang), random.SystemRandom().randrange(1 << 32) if seed is None else seed
    incident, chosen = incident_of(name, era) if name else surprise(era, number)
    state = running.start(out, running.Wanted(incident.name, chosen, number, slot_ms, faults, second_faults, behind))
    _say(STARTED(), language)
    rows = {"RPC": state["rpc"], "second RPC": state["second_rpc"], "worker": state["worker"], "grant": state["grant"]}
    rows |= {"event": state["event"], "keys": str(out / "keys"), "worker token": state["worker_token_file"]}
    for label, value in rows.items():
        click.echo(f"  {label:<13} {value}")
    _say(SEALED(digest=state["answer_sha256"]), language)
    click.echo("")
    _say(NEXT(), language)
    for line in commands(state, out):
        click.echo(f"  {line}")


def surprise(era: str | None, seed: int) -> tuple[Incident, str]:
    """An incident that a seed chooses, look-alikes among them."""
    from popkit.drill.incidents import INCIDENTS

    chance = random.Random(seed)
    held = [incident for incident in INCIDENTS.values() if era is None or era in incident.eras]
    incident = chance.choice(held)
    return incident, era or chance.choice(incident.eras)


def commands(state: dict[str, Any], out: Path) -> list[str]:
    """What a person types next, in the order of the night."""
    case = f"{out.name}-case"
    collect = (
        f"POPKIT_TOKEN=$(cat {state['worker_token_file']}) popkit collect --rpc {state['rpc']} --second-rpc {state['second_rpc']}"
        f" --worker {state['worker']} --worker-token-env POPKIT_TOKEN --grant {state['grant']} --out {case}"
    )
    return [collect, f"popkit diagnose {case}", f"popkit drill reveal --drill {out}", f"popkit drill stop --drill {out}"]


@drill.command(help="Let time pass in the running drill: +900 is a quarter of an hour.")
@click.argument("seconds")
@folder_option
@language_option
def clock(seconds: str, folder: Path, lang: str | None) -> None:
    """Move the drill's clock."""
    from popkit.drill import running

    try:
        number = float(seconds)
    except ValueError:
        raise UsageError(f"{seconds}: expected a number of seconds, as +900") from None
    found = running.ask(folder, "clock", seconds=number)
    _say(PASSED(now=Moment(found["now"]), slot=found["slot"]), _language(lang))


@drill.command(help="Let COUNT new wallets claim on the newest event, as the app does.")
@click.argument("count", type=int)
@folder_option
def claim(count: int, folder: Path) -> None:
    """Let wallets claim."""
    from popkit.drill import running

    found = running.ask(folder, "claim", count=count)
    click.echo(f"{found['event']}  {found['grant']}")
    for outcome, number in found["outcomes"].items():
        click.echo(f"  {number:>4}  {outcome}")


@drill.command(help="Make something go wrong or right again: WHAT is worker-down, worker-up, sink-fails, sink-works, backup, restore, "
    "key-rotated, clock (with seconds) or doubled.")
@click.argument("what")
@click.argument("value", required=False)
@folder_option
def upset(what: str, value: str | None, folder: Path) -> None:
    """Upset the running drill's worker."""
    from popkit.drill import running

    click.echo(running.ask(folder, "upset", upset=what, value=value)["done"])


@drill.command(help="Show where the running drill stands; the answer stays sealed.")
@folder_option
def status(folder: Path) -> None:
    """Print the drill's state."""
    from popkit.drill import running

    for label, value in running.ask(folder, "status").items():
        click.echo(f"{label:<14} {value}")


@drill.command(help="Open the sealed answer: what happened, and what is true.")
@folder_option
@language_option
def reveal(folder: Path, lang: str | None) -> None:
    """Print the answer, and hold it against the digest of the start."""
    import hashlib

    from popkit.drill import running

    language, state = _language(lang), running.state_of(folder)
    found = running.ask(folder, "reveal")
    _say(HAPPENED(told=found["told"][language]), language)
    _say(TRUE(), language)
    for label, value in found["answer"].items():
        click.echo(f"  {label:<11} {', '.join(value) if isinstance(value, list) else value}")
    if hashlib.sha256(found["sealed"].encode()).hexdigest() != state["answer_sha256"]:
        raise UsageError("the answer does not have the digest that stood at the start: this is another drill")
    _say(HOLDS(), language)


@drill.command(help="End the running drill.")
@folder_option
@language_option
def stop(folder: Path, lang: str | None) -> None:
    """Stop the drill's process."""
    from popkit.drill import running

    running.stop(folder)
    _say(STOPPED(folder=folder), _language(lang))


@drill.command(help="Write just the evidence of an incident as a case, and the answer beside it.")
@click.argument("name")
@click.option("--era", type=click.Choice(ERAS), help="which program is deployed")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="the case to make; must not exist")
@language_option
def case(name: str, era: str | None, seed: int, out: Path, lang: str | None) -> None:
    """Write a case and its answer."""
    import json

    from popkit.drill.case import write_case

    if out.exists():
        raise UsageError(f"{out}: exists already; a case is written once")
    incident, chosen = incident_of(name, era)
    stage = incident.play(chosen, seed)
    write_case(out, stage.world.collect(reports=True))
    answer = out.with_name(f"{out.name}.answer.json")
    answer.write_text(json.dumps(stage.truth().as_json(), indent=1, ensure_ascii=False) + "\n")
    _say(CASE_WRITTEN(case=out, answer=answer), _language(lang))


@drill.command(help="Unattended: play, collect, diagnose and compare; exit 0 only where every answer is right.")
@click.argument("names", nargs=-1)
@click.option("--era", type=click.Choice(ERAS), help="one era alone")
@click.option("--seeds", type=click.IntRange(1), default=1, show_default=True, help="worlds of each incident and era")
@click.option("--first-seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--http", "over_http", is_flag=True, help="collect over HTTP from a living drill, rather than in this process")
@click.option("--mixtures", is_flag=True, help="without names: the mixtures of two as well")
@language_option
@click.pass_context
def run(context: click.Context, names: tuple[str, ...], era: str | None, seeds: int, first_seed: int, over_http: bool, mixtures: bool,
    lang: str | None) -> None:  # fmt: skip
    """Run incidents and print a table of the answers."""
    from popkit.drill import rehearsal
    from popkit.drill.incidents import INCIDENTS

    chosen = [incident_of(name, None)[0] for name in names] or [i for i in INCIDENTS.values() if mixtures or len(i.acts) == 1]
    play = rehearsal.over_http if over_http else rehearsal.in_process
    found: list[Compared] = []
    with tempfile.TemporaryDirectory(prefix="popkit-drill-") as folder:
        for incident in chosen:
            for of_era in incident.eras if era is None else [era] if era in incident.eras else []:
                for seed in range(first_seed, first_seed + seeds):
                    found.append(play(incident.name, of_era, seed, Path(folder) / f"case-{len(found)}"))
                    _row(found[-1])
    right = sum(row.is_right for row in found)
    _say(ALL_RIGHT(right=right, count=len(found)), _language(lang))
    context.exit(EXIT_FINE if right == len(found) and found else EXIT_WRONG)


def _row(row: Compared) -> None:
    click.echo(f"{'✓' if row.is_right else '✗'} {row.incident:<44} {row.era:<10} {row.seed}")
    for name, (done, answered) in row.differs.items():
        click.echo(f"    {name}: was {done}, popkit says {answered}", file=sys.stderr)
