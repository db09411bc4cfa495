"""The harness that kills: every call is met once, in threads and coroutines too, and a child that
fails fails the test.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tests.cutover.killing import ChildFailed, Kill, killed_everywhere, run_child

HERE = "tests.cutover.test_killing"


def note(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


async def note_later(path: Path, text: str) -> None:
    await asyncio.sleep(0)
    note(path, text)


class Desk:
    def post(self, path: Path, text: str) -> None:
        note(path, text)


def act(path: Path) -> None:
    """One call here, one in another thread, one of a coroutine, one of a method."""
    note(path, "a")
    thread = threading.Thread(target=lambda: note(path, "b"))
    thread.start()
    thread.join()
    asyncio.run(note_later(path, "c"))
    Desk().post(path, "d")


def fail(path: Path) -> None:
    raise LookupError(
        f"no {path.name}, with {os.environ.get('POPKIT_TEST_CHILD')} in {Path.cwd().name}"
    )


@pytest.mark.parametrize(
    ("point", "left"),
    [
        # `note` is called within the other two as well.
        ("note", ["", "a", "ab", "abc", "a", "ab", "abc", "abcd"]),
        ("note_later", ["ab", "abc"]),
        ("Desk.post", ["abc", "abcd"]),
    ],
)
def test_each_call_is_met_before_and_after(tmp_path: Path, point: str, left: list[str]) -> None:
    numbers = iter(range(100))
    found = []
    for killed in killed_everywhere(
        act, lambda: (tmp_path / str(next(numbers)),), [f"{HERE}:{point}"]
    ):
        (path,) = killed.args
        found.append(path.read_text() if path.exists() else "")
    assert found == left


def test_points_are_counted_together(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    assert run_child(act, (path,), Kill(5, "before", (f"{HERE}:note", f"{HERE}:Desk.post")))
    assert path.read_text() == "abc", "the fifth call of both is the note within the post"
    assert not run_child(
        act, (tmp_path / "more",), Kill(6, "before", (f"{HERE}:note", f"{HERE}:Desk.post"))
    )
    assert (tmp_path / "more").read_text() == "abcd"


def test_a_child_that_fails_fails_the_test_with_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "place").mkdir()
    monkeypatch.setenv("POPKIT_TEST_CHILD", "a variable")
    monkeypatch.chdir(tmp_path / "place")
    with pytest.raises(ChildFailed, match="LookupError: no file, with a variable in place"):
        run_child(fail, (tmp_path / "file",), Kill(1))


def test_a_child_that_never_ends_is_ended(tmp_path: Path) -> None:
    with pytest.raises(ChildFailed, match="did not end"):
        run_child(wait, timeout=0.5)


def wait() -> None:
    threading.Event().wait()
