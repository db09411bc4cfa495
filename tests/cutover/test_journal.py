"""The journal: whole after every kill, altered lines found by their number, one process at a time,
nothing in it that may not be.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from popkit.cutover.errors import Stopped
from popkit.cutover.journals import lock as locks
from popkit.cutover.journals.entries import FIRST, When, next_entry
from popkit.cutover.journals.journal import Journal, verify
from popkit.errors import CannotWrite, UsageError
from tests.cutover.killing import Kill, killed_everywhere, run_child

PLAN = hashlib.sha256(b"a plan").hexdigest()
WALL = 1_772_000_000
FEW = settings(max_examples=25, deadline=None)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15)
    | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
FACTS = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=3)


def begun(folder: Path, entries: int = 3) -> Journal:
    """A journal of a plan with so many entries besides its first."""
    journal = Journal.create(folder / "journal.jsonl", PLAN, now=lambda: WALL)
    for number in range(entries):
        journal.write("looked", "0", number=number)
    return journal


def lines_of(journal: Journal) -> list[bytes]:
    return journal.path.read_bytes().split(b"\n")[:-1]


def rewritten(journal: Journal, lines: list[bytes], head: bool = True) -> Path:
    """The journal's file with other lines; without `journal.head` where the one who changed it
    thought of that.
    """
    journal.path.write_bytes(b"".join(line + b"\n" for line in lines))
    if not head:
        journal.path.with_name("journal.head").unlink()
    return journal.path


def stop_of(path: Path) -> Stopped:
    with pytest.raises(Stopped) as stopped:
        Journal.open(path)
    return stopped.value


@pytest.mark.parametrize(
    "facts",
    [{}, {"amount": "18446744073709551615", "nested": [{"a": None}], "text": "参加券 ☃ \u2028"}],
)
def test_what_is_written_is_read_again(tmp_path: Path, facts: dict[str, Any]) -> None:
    class Clock:
        slot, block_time = 417, WALL - 3

    journal = begun(tmp_path, 0)
    entry = journal.write("looked", "2.3", by="funder", clock=Clock(), **facts)
    again = Journal.open(journal.path, PLAN)
    assert again.entries == journal.entries == (again.entries[0], entry)
    assert (entry.n, entry.prev, entry.at, entry.by, entry.step, entry.facts) == (
        2, journal.entries[0].hash, When(WALL, WALL - 3, 417), "funder", "2.3", facts,
    )  # fmt: skip
    assert (again.plan, again.head, again.entries[0].prev) == (PLAN, entry.hash, FIRST)
    assert again.digest() == hashlib.sha256(journal.path.read_bytes()).hexdigest()
    assert again.of("2.3") == (entry,) == (again.last("looked"),) == (again.last("looked", "2.3"),)
    assert again.last("looked", "2.4") is None


def test_a_line_is_the_canonical_form_of_its_entry_and_its_hash_that_of_the_rest(
    tmp_path: Path,
) -> None:
    for line in lines_of(begun(tmp_path)):
        value = json.loads(line)
        assert rfc8785.dumps(value) == line
        stated = value.pop("hash")
        assert hashlib.sha256(rfc8785.dumps(value)).hexdigest() == stated


@FEW
@given(st.lists(FACTS, max_size=6))
def test_entries_of_any_facts_make_a_chain_that_holds(many: list[dict[str, Any]]) -> None:
    entries = []
    for facts in many:
        entries.append(
            next_entry(
                entries[-1] if entries else None, "looked", None, "operator", When(WALL), facts
            )
        )
    chain = verify(entry.line for entry in entries)
    assert (chain.entries, chain.breaks) == (tuple(entries), ())


@FEW
@given(st.data())
def test_one_changed_byte_is_one_break_at_its_line(data: st.DataObject) -> None:
    entries = []
    for number in range(4):
        entries.append(
            next_entry(
                entries[-1] if entries else None,
                "looked",
                None,
                "operator",
                When(WALL),
                {"number": number},
            )
        )
    lines = [entry.line for entry in entries]
    at = data.draw(st.integers(0, 3))
    place = data.draw(st.integers(0, len(lines[at]) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte not in (lines[at][place], 10)))
    lines[at] = lines[at][:place] + bytes([byte]) + lines[at][place + 1 :]
    broken = [found.line for found in verify(lines).breaks]
    # A changed `hash` is also not what the next line names; nothing else reaches another line.
    assert broken[0] == at + 1
    assert set(broken) <= {at + 1, at + 2}


def removed(lines: list[bytes]) -> list[bytes]:
    return lines[:1] + lines[2:]


def swapped(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def repeated(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[1], *lines[2:]]


def edited(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"number":0', b'"number":7'), *lines[2:]]


def edited_and_hashed(lines: list[bytes]) -> list[bytes]:
    """By somebody who knows how the hash is made, and stops there."""
    value = json.loads(edited(lines)[1])
    value.pop("hash")
    value["hash"] = hashlib.sha256(rfc8785.dumps(value)).hexdigest()
    return [lines[0], rfc8785.dumps(value), *lines[2:]]


def spaced(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b",", b", ", 1), *lines[2:]]


def emptied(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"", *lines[1:]]


def begun_elsewhere(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (removed, 2),
        (swapped, 2),
        (repeated, 3),
        (edited, 2),
        (edited_and_hashed, 3),
        (spaced, 2),
        (emptied, 2),
        (begun_elsewhere, 1),
    ],
)
def test_a_change_is_found_at_its_line(tmp_path: Path, change: Any, line: int) -> None:
    journal = begun(tmp_path)
    stopped = stop_of(rewritten(journal, change(lines_of(journal)), head=False))
    assert (stopped.code, stopped.exit_code) == ("journal_altered", 1)
    assert f"journal.jsonl, line {line}:" in stopped.in_language("en")
    assert f"{line} 行目" in stopped.in_language("ja")
    assert stopped.lines_in("en")
    assert stopped.lines_in("ja")


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_an_end_that_was_cut_off_is_found_by_the_pinned_head(tmp_path: Path, kept: int) -> None:
    journal = begun(tmp_path)
    stopped = stop_of(rewritten(journal, lines_of(journal)[:kept]))
    assert stopped.code == "journal_altered"
    assert f"line {kept + 1}:" in str(stopped)


@pytest.mark.parametrize("head", [b"", b"nonsense\n", None])
def test_a_head_that_a_power_cut_left_empty_stops_nothing(
    tmp_path: Path, head: bytes | None
) -> None:
    journal = begun(tmp_path)
    place = journal.path.with_name("journal.head")
    place.unlink() if head is None else place.write_bytes(head)
    assert Journal.open(journal.path).write("looked").n == 5


def test_a_journal_of_another_plan_is_refused(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    with pytest.raises(Stopped) as stopped:
        Journal.open(journal.path, "f" * 64)
    assert stopped.value.code == "journal_of_another_plan"


def test_a_journal_is_never_begun_twice_and_never_opened_where_there_is_none(
    tmp_path: Path,
) -> None:
    with pytest.raises(UsageError):
        Journal.open(tmp_path / "journal.jsonl")
    journal = begun(tmp_path)
    before = journal.path.read_bytes()
    with pytest.raises(UsageError):
        Journal.create(journal.path, PLAN)
    assert journal.path.read_bytes() == before
    journal.path.unlink()
    with pytest.raises(
        UsageError
    ):  # its head is still there: the journal was removed, and a new one would hide that
        Journal.create(journal.path, PLAN)


def test_every_torn_tail_is_kept_aside_and_named(tmp_path: Path) -> None:
    """Cut at every seventh byte of the last line, and before its line end: the line counts only
    whole.
    """
    journal = begun(tmp_path, 1)
    whole = journal.path.read_bytes()
    start = len(whole) - len(lines_of(journal)[-1]) - 1
    for size in [*range(start + 1, len(whole) - 1, 7), len(whole) - 1]:
        folder = tmp_path / f"cut-{size}"
        folder.mkdir()
        path = folder / "journal.jsonl"
        path.write_bytes(whole[:size])
        opened = Journal.open(path, now=lambda: WALL)
        torn = whole[start:size]
        assert (folder / "journal.torn-1").read_bytes() == torn
        assert [entry.kind for entry in opened.entries] == ["created", "torn_line_kept"]
        assert opened.entries[-1].facts == {
            "file": "journal.torn-1",
            "bytes": len(torn),
            "sha256": hashlib.sha256(torn).hexdigest(),
        }
        assert Journal.open(path).entries == opened.entries


def test_torn_tails_are_numbered_also_when_they_are_alike(tmp_path: Path) -> None:
    journal = begun(tmp_path, 0)
    for number in (1, 2):
        with journal.path.open("ab") as file:
            file.write(b"{")
        assert Journal.open(journal.path).entries[-1].facts["file"] == f"journal.torn-{number}"


def test_a_reader_leaves_a_line_alone_that_another_process_is_writing(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    with journal.held():
        with journal.path.open("ab") as file:
            file.write(b'{"at"')
        assert Journal.open(journal.path).entries == journal.entries
        assert not (tmp_path / "journal.torn-1").exists()
        assert journal.write("looked").n == 6, "the holder keeps it aside itself"
    assert Journal.open(journal.path).last("torn_line_kept")


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(28, "No space left on device"), CannotWrite),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
)
def test_a_write_that_fails_leaves_nothing_and_the_next_one_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    journal = begun(tmp_path)
    before = journal.path.read_bytes()

    def broken(fd: int) -> None:
        raise failure

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(raised):
            journal.write("looked")
    assert journal.path.read_bytes() == before
    assert journal.write("looked").n == 5
    assert Journal.open(journal.path).entries == journal.entries


def test_a_head_that_cannot_be_written_takes_nothing_from_an_entry(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    (tmp_path / "journal.head.new").mkdir()
    assert journal.write("looked").n == 5
    assert Journal.open(journal.path).entries == journal.entries


@pytest.mark.parametrize(
    ("kind", "step", "facts"),
    [
        ("looked", None, {"raw": b"bytes"}),
        ("looked", None, {"deep": [{"raw": b"bytes"}]}),
        ("looked", None, {"number": float("nan")}),
        ("looked", None, {"number": 2**53}),
        ("looked", None, {"number": 2.0**53}),
        ("looked", None, {"path": Path("x")}),
        ("looked", None, {"names": {1: "one"}}),
        ("looked", None, {"text": "\ud800"}),
        ("Two words", None, {}),
        ("looked", "../2", {}),
    ],
)
def test_what_is_not_json_is_refused_and_nothing_is_written(
    tmp_path: Path, kind: str, step: str | None, facts: dict[str, Any]
) -> None:
    journal = begun(tmp_path)
    before = journal.path.read_bytes()
    with pytest.raises(ValueError, match="journal"):
        journal.write(kind, step, **facts)
    assert journal.path.read_bytes() == before


def test_guarded_texts_and_folders_never_stand_in_a_line(tmp_path: Path) -> None:
    from pybase64 import b64encode

    from popkit.protocol.keys import b58encode

    token, key = "tokenkey/9e8d7c6b5a", bytes(range(64))
    journal = begun(tmp_path, 0)
    journal.guard([token, key])
    forms = [token, token.replace("/", "%2F"), key.hex(), b58encode(key)]
    forms += [b64encode(secret).decode().rstrip("=") for secret in (token.encode(), key)]
    for form in forms:
        journal.write("looked", error=f"refused: {form}!", nested=[{form: form}])
    journal.write(
        "looked",
        error=f"[Errno 2] No such file: '{tmp_path}/attempts/2-1.json'",
        home=f"{Path.home()}/.config/key.json",
    )
    text = journal.path.read_text()
    for form in (*forms, str(tmp_path), f"{Path.home()}/"):
        assert form not in text
    assert text.count('"refused: …!"') == len(forms)
    assert journal.entries[-1].facts["error"] == "[Errno 2] No such file: '…'"
    assert token not in repr(journal._guard)
    assert Journal.open(journal.path).entries == journal.entries


def test_honest_words_are_left_as_they_are(tmp_path: Path) -> None:
    journal = begun(tmp_path, 0)
    journal.guard(["main", "", "mainnet-beta", "finalized"])
    facts = {"cluster": "mainnet-beta", "commitment": "finalized", "event": "会 / main hall"}
    assert journal.write("looked", **facts).facts == facts


# --- one at a time -----------------------------------------------------------------------------------------------------


def test_a_second_opening_cannot_write_or_act_while_one_is_held(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    other = Journal.open(journal.path)
    with journal.held():
        with pytest.raises(Stopped) as stopped:
            other.write("looked")
        assert stopped.value.code == "journal_in_use"
        with journal.held():  # nested in what holds it
            journal.write("looked")
    assert [entry.n for entry in (other.write("looked"),)] == [6], "it read what was written since"
    assert not [
        entry for entry in Journal.open(journal.path).entries if entry.kind == "lock_taken_over"
    ]


def test_another_thread_cannot_act_at_the_same_time(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    codes: list[str] = []

    def act() -> None:
        try:
            with journal.held():
                codes.append("held")
        except Stopped as stopped:
            codes.append(stopped.code)

    with journal.held():
        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    act()
    assert codes == ["journal_in_use", "held"]


def act_refused(path: Path) -> None:
    """What a second process meets."""
    journal = Journal.open(path)
    assert journal.entries
    with pytest.raises(Stopped) as stopped, journal.held():
        raise AssertionError("two processes act")
    assert stopped.value.code == "journal_in_use"


def die_at_work(path: Path) -> None:
    with Journal.open(path).held():
        os.kill(os.getpid(), signal.SIGKILL)


def test_another_process_cannot_act_at_the_same_time(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    with journal.held():
        run_child(act_refused, (journal.path,))


def test_the_lock_of_a_killed_process_is_taken_over_and_said_so(tmp_path: Path) -> None:
    journal = begun(tmp_path, 0)
    assert run_child(die_at_work, (journal.path,), Kill(10**6))
    with journal.held():
        journal.write("looked")
    kinds = [entry.kind for entry in journal.entries]
    assert kinds == ["created", "lock_taken_over", "looked"]
    assert set(journal.entries[1].facts) == {"held_since"}


def test_a_number_given_out_again_is_no_holder_and_a_living_one_is(tmp_path: Path) -> None:
    journal = begun(tmp_path, 0)
    place = tmp_path / "journal.lock"
    started = locks._started(os.getppid())
    assert started is not None
    place.write_text(json.dumps({"pid": os.getppid(), "started": started, "since": WALL}))
    with pytest.raises(Stopped) as stopped:
        journal.write("looked")
    assert stopped.value.code == "journal_in_use"
    assert str(os.getppid()) in str(stopped.value)
    place.write_text(json.dumps({"pid": os.getppid(), "started": started - 3600, "since": WALL}))
    assert journal.write("looked").n == 3
    assert journal.entries[1].facts == {"held_since": WALL}


@pytest.mark.parametrize("content", [b"", b"{", b'{"pid":"x"}', b"[]", b"\0" * 100])
def test_a_lock_file_that_names_nobody_is_free(tmp_path: Path, content: bytes) -> None:
    journal = begun(tmp_path, 0)
    (tmp_path / "journal.lock").write_bytes(content)
    assert journal.write("looked").n == 2


def test_a_lock_that_was_removed_while_held_stops_the_holder(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    with journal.held():
        (tmp_path / "journal.lock").unlink()
        with pytest.raises(Stopped) as stopped:
            journal.write("looked")
    assert stopped.value.code == "journal_lock_lost"


def test_an_altered_line_is_found_before_a_held_block_begins(tmp_path: Path) -> None:
    journal = begun(tmp_path)
    rewritten(journal, edited(lines_of(journal)))
    with pytest.raises(Stopped) as stopped, journal.held():
        raise AssertionError("the block began")
    assert stopped.value.code == "journal_altered"


# --- killed ------------------------------------------------------------------------------------------------------------


def two_entries(folder: Path, returned: Path) -> None:
    """Create, act under the lock, and write down outside the run which entries `write` returned."""
    path = folder / "journal.jsonl"
    journal = Journal.open(path) if path.exists() else Journal.create(path, PLAN)
    for number in range(2):
        with journal.held():
            entry = journal.write("acted", "2", number=number)
        with returned.open("a") as file:
            file.write(f"{entry.hash}\n")


@pytest.mark.parametrize(
    ("at", "where"),
    [(("os:fsync",), ("before", "after")), (("os:write",), ("before", "halfway", "after"))],
)
def test_killed_anywhere_the_journal_is_whole_and_holds_all_that_was_returned(
    tmp_path: Path, at: Any, where: Any
) -> None:
    numbers = iter(range(10**6))

    def fresh() -> tuple[Path, Path]:
        folder = tmp_path / f"run-{next(numbers)}"
        folder.mkdir()
        return folder, tmp_path / f"{folder.name}.returned"

    kills = torn = 0
    for killed in killed_everywhere(two_entries, fresh, at, where):
        folder, notes = killed.args
        kills += 1
        returned = notes.read_text().split() if notes.exists() else []
        if (folder / "journal.jsonl").exists():
            journal = Journal.open(folder / "journal.jsonl", PLAN)
            torn += journal.last("torn_line_kept") is not None
            hashes = [entry.hash for entry in journal.entries]
            assert set(returned) <= set(hashes), killed.kill
            assert sum(entry.kind == "acted" for entry in journal.entries) <= len(returned) + 1
        else:
            assert not returned
        two_entries(folder, notes)
        data = (folder / "journal.jsonl").read_bytes()
        assert verify(data.split(b"\n")[:-1]).breaks == ()
        assert data.endswith(b"\n")
    assert kills >= 8
    assert bool(torn) == ("halfway" in where)


def repair(path: Path) -> None:
    Journal.open(path)


def test_killed_while_a_torn_line_is_kept_aside_it_is_kept_once_and_named_once(
    tmp_path: Path,
) -> None:
    numbers = iter(range(10**6))

    def fresh() -> tuple[Path]:
        folder = tmp_path / f"run-{next(numbers)}"
        folder.mkdir()
        journal = begun(folder, 1)
        with journal.path.open("ab") as file:
            file.write(b'{"torn')
        return (journal.path,)

    for killed in killed_everywhere(repair, fresh):
        (path,) = killed.args
        journal = Journal.open(path)
        named = [entry.facts["file"] for entry in journal.entries if entry.kind == "torn_line_kept"]
        assert named == ["journal.torn-1"], killed.kill
        assert [kept.name for kept in path.parent.glob("journal.torn-*[0-9]")] == named
        assert path.with_name(named[0]).read_bytes() == b'{"torn'
