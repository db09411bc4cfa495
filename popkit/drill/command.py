"""What the verbs of `popkit drill` do and say. The work is in `running`, `rehearsal` and `people`."""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.errors import EXIT_FINE, EXIT_WRONG, UsageError
from popkit.output import say, tell
from popkit.texts import Language, Listed, Moment, Text, speak

if TYPE_CHECKING:
    from popkit.drill.incidents import Incident
    from popkit.drill.rehearsal import Compared

STARTED = Text("A drill runs. Everything in it is made up, and nothing leaves this machine.",
    "演習を開始しました。すべて架空のもので、このマシンの外には出ません。")  # fmt: skip
SEALED = Text("The answer is sealed: SHA-256 {digest}", "答えは封印されています: SHA-256 {digest}")
NEXT = Text("Next, type:", "次に入力するもの:")
PASSED = Text("The time is {now}, slot {slot}.", "現在 {now}、スロット {slot} です。")
HAPPENED = Text("What happened: {what}", "起きたこと: {what}")
TRUE = Text("What was true when the drill began:", "演習開始時点での正しい答え:")
HOLDS = Text("The seal holds: these bytes have the digest that stood at the start.",
    "封印は有効です。開始時に示したダイジェストと一致します。")  # fmt: skip
BROKEN_SEAL = Text("the answer does not have the digest that stood at the start: this is another drill",
    "答えが開始時のダイジェストと一致しません。別の演習です")  # fmt: skip
STOPPED = Text("The drill has ended; its folder stays: {folder}", "演習を終了しました。フォルダーは残ります: {folder}")
CASE_WRITTEN = Text("Case written: {case}. Its answer: {answer}", "ケースを書き出しました: {case}。答え: {answer}")
RIGHT = Text("{right} of {count} answers are right", "{count}件中{right}件の答えが正しい")
DIFFERS = Text("    {name}: was {done}, popkit says {answered}", "    {name}: 正しくは {done}、popkit の答えは {answered}")
UNKNOWN = Text("{name}: no such incident; 'popkit drill list' shows them",
    "{name}: その名前の演習はありません。`popkit drill list` で一覧を表示します")  # fmt: skip
NEVER = Text("{name} cannot happen in {era}; it can in {eras}", "{name} は {era} では起こりません。可能な版: {eras}")
NO_SECONDS = Text("{seconds}: expected a number of seconds, as +900", "{seconds}: 秒数を +900 のように指定してください")
EXISTS = Text("{place}: exists already; a case is written once", "{place}: すでにあります。ケースは一度だけ書きます")
TOO_FEW = Text("--{option} {value}: expected a number from {least}", "--{option} {value}: {least} 以上の数を指定してください")


def incident_of(name: str, era: str | None) -> tuple[Incident, str]:
    """An incident by name and an era that it can happen in. Raises UsageError."""
    from popkit.drill.incidents import INCIDENTS

    incident = INCIDENTS.get(name)
    if incident is None:
        raise UsageError(UNKNOWN(name=name))
    chosen = era or ("strict" if "strict" in incident.eras else incident.eras[0])
    if chosen not in incident.eras:
        raise UsageError(NEVER(name=name, era=chosen, eras=Listed(incident.eras)))
    return incident, chosen


def surprise(era: str | None, seed: int) -> tuple[Incident, str]:
    """An incident that a seed chooses, look-alikes among them."""
    from popkit.drill.incidents import INCIDENTS

    chance = random.Random(seed)
    held = [incident for incident in INCIDENTS.values() if era is None or era in incident.eras]
    incident = chance.choice(held)
    return incident, era or chance.choice(incident.eras)


def show_list(everything: bool, language: Language) -> int:
    """Print the incidents, a line each."""
    from popkit.drill.incidents import INCIDENTS

    held = [incident for incident in INCIDENTS.values() if everything or len(incident.acts) == 1]
    say([f"{incident.name:<24} {speak(incident.told, language)}  ({', '.join(incident.eras)})" for incident in held])
    return EXIT_FINE


def start(name: str | None, era: str | None, seed: int | None, out: str, slot_ms: int, faults: tuple[str, ...],
    second_faults: tuple[str, ...], behind: int, language: Language) -> int:  # fmt: skip
    """Start a drill and say where it is, and what to type next."""
    from popkit.drill import running
    from popkit.drill.faults import split

    for specs in (faults, second_faults):
        split(specs, 0)  # refuses what is no fault, before anything is started
    for option, value, least in (("slot-ms", slot_ms, 50), ("behind", behind, 0)):
        if value < least:
            raise UsageError(TOO_FEW(option=option, value=value, least=least))
    number = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    incident, chosen = incident_of(name, era) if name else surprise(era, number)
    folder = Path(out)
    state = running.start(folder, running.Wanted(incident.name, chosen, number, slot_ms, faults, second_faults, behind))
    rows = {"RPC": state["rpc"], "second RPC": state["second_rpc"], "worker": state["worker"], "grant": state["grant"]}
    rows |= {"event": state["event"], "keys": state["keys"], "worker token": state["worker_token_file"]}
    lines = [speak(STARTED(), language), *(f"  {label:<13} {value}" for label, value in rows.items())]
    lines += [speak(SEALED(digest=state["answer_sha256"]), language), "", speak(NEXT(), language)]
    say([*lines, *(f"  {line}" for line in commands(folder))])
    return EXIT_FINE


def commands(folder: Path) -> list[str]:
    """What a person types next, in the order of the night."""
    case = f"{folder.name}-case"
    collect = (
        "popkit collect --rpc $DRILL_RPC --second-rpc $DRILL_SECOND_RPC --worker $DRILL_WORKER --worker-token-env DRILL_TOKEN"
        f" --grant $DRILL_GRANT --out {case}"
    )
    plan = (
        f"popkit cutover plan {case} --grant $DRILL_GRANT --rpc env:DRILL_RPC --second-rpc env:DRILL_SECOND_RPC --worker env:DRILL_WORKER"
        " --worker-token-env DRILL_TOKEN --authority-key env:DRILL_AUTHORITY_KEY --wallet-key env:DRILL_WALLET_KEY"
        f" --out {folder.name}-run"
    )
    return [
        f"source {folder}/env",
        collect,
        f"popkit diagnose {case}",
        plan,
        f"popkit cutover status {folder.name}-run",
        f"popkit drill reveal --drill {folder}",
        f"popkit drill stop --drill {folder}",
    ]


def clock(seconds: str, folder: str, language: Language) -> int:
    """Move the drill's clock."""
    from popkit.drill import running

    try:
        number = float(seconds)
    except ValueError:
        raise UsageError(NO_SECONDS(seconds=seconds)) from None
    found = running.ask(Path(folder), "clock", seconds=number)
    say([speak(PASSED(now=Moment(found["now"]), slot=found["slot"]), language)])
    return EXIT_FINE


def claim(count: int, folder: str, language: Language) -> int:
    """Let wallets claim."""
    from popkit.drill import running

    found = running.ask(Path(folder), "claim", count=count)
    say([f"{found['event']}  {found['grant']}", *(f"  {number:>4}  {outcome}" for outcome, number in found["outcomes"].items())])
    return EXIT_FINE


def upset(what: str, value: str | None, folder: str, language: Language) -> int:
    """Upset the running drill: its worker, its nodes, or what other people do."""
    from popkit.drill import running

    say([running.ask(Path(folder), "upset", upset=what, value=value)["done"][language]])
    return EXIT_FINE


def status(folder: str, language: Language) -> int:
    """Print the drill's state."""
    from popkit.drill import running

    say([f"{label:<14} {value}" for label, value in running.ask(Path(folder), "status").items()])
    return EXIT_FINE


def reveal(folder: str, language: Language) -> int:
    """Print the answer, and hold it against the digest of the start."""
    from popkit.drill import running

    state = running.state_of(Path(folder))
    found = running.ask(Path(folder), "reveal")
    lines = [speak(HAPPENED(what=found["told"][language]), language), speak(TRUE(), language)]
    lines += [f"  {label:<11} {', '.join(value) if isinstance(value, list) else value}" for label, value in found["answer"].items()]
    say(lines)
    if hashlib.sha256(found["sealed"].encode()).hexdigest() != state["answer_sha256"]:
        raise UsageError(BROKEN_SEAL())
    say([speak(HOLDS(), language)])
    return EXIT_FINE


def stop(folder: str, language: Language) -> int:
    """Stop the drill's process."""
    from popkit.drill import running

    running.stop(Path(folder))
    say([speak(STOPPED(folder=folder), language)])
    return EXIT_FINE


def case(name: str, era: str | None, seed: int, out: str, language: Language) -> int:
    """Write a case and its answer."""
    from popkit.drill.case import write_case

    place = Path(out)
    if place.exists():
        raise UsageError(EXISTS(place=place))
    incident, chosen = incident_of(name, era)
    stage = incident.play(chosen, seed)
    write_case(place, stage.world.collect(reports=True))
    answer = place.with_name(f"{place.name}.answer.json")
    answer.write_text(json.dumps(stage.truth().as_json(), indent=1, ensure_ascii=False) + "\n")
    say([speak(CASE_WRITTEN(case=place, answer=answer), language)])
    return EXIT_FINE


def run(names: tuple[str, ...], era: str | None, seeds: int, first_seed: int, over_http: bool, mixtures: bool, by_roles: bool,
    until: str, language: Language) -> int:  # fmt: skip
    """Run incidents and print a line for each answer, and for how its cutover ended."""
    from popkit.drill import cutover, rehearsal
    from popkit.drill.incidents import INCIDENTS

    if seeds < 1:
        raise UsageError(TOO_FEW(option="seeds", value=seeds, least=1))
    chosen = [incident_of(name, None)[0] for name in names] or [i for i in INCIDENTS.values() if mixtures or len(i.acts) == 1]
    play = rehearsal.over_http if over_http else rehearsal.in_process
    found: list[Compared] = []
    with tempfile.TemporaryDirectory(prefix="popkit-drill-") as folder:
        for incident in chosen:
            for of_era in incident.eras if era is None else [era] if era in incident.eras else []:
                for seed in range(first_seed, first_seed + seeds):
                    row = play(incident.name, of_era, seed, Path(folder) / f"case-{len(found)}")
                    found.append(row if until == "diagnosis" else cutover.gone_on(row, by_roles=by_roles))
                    _show(found[-1], language)
    right = sum(row.is_right for row in found)
    say([speak(RIGHT(right=right, count=len(found)), language)])
    return EXIT_FINE if found and right == len(found) else EXIT_WRONG


def _show(row: Compared, language: Language) -> None:
    say([f"{'✓' if row.is_right else '✗'} {row.incident:<44} {row.era:<10} {row.seed:<4} {row.ended}".rstrip()])
    for name, (done, answered) in row.differs.items():
        tell(speak(DIFFERS(name=name, done=done, answered=answered), language))
