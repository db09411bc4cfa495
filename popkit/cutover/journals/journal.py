"""The journal of a cutover, `RUN/journal.jsonl`: what was looked at, confirmed and done, one
hash-chained line an entry.

It decides what was done, so three things hold at every moment, also when the process is killed at
any byte:

- A line counts only with its line end, and `write` returns only once the line is on the disk.
   Whoever acts writes first.
- A line without its end is what a killed process left. It is kept aside as `journal.torn-<n>`, and
   an entry names it.
- One process writes at a time (`lock.py`); one that was killed at work is taken over, and an entry
   says so.

Beside the journal lies `journal.head`, the number and hash of its newest entry (or, after a kill,
of one shortly before): the chain alone cannot show that its last lines were cut off. Nobody who can
write into the folder is kept from writing a whole new journal; against that, the head stands in the
record, and in what the operator gives a second person.

What a journal never holds: paths, hosts, user names, keys. `guard` takes what must not occur, and
such text is written as "…".
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from popkit.cutover.errors import Stopped
from popkit.cutover.journals.durable import write_through, write_whole
from popkit.cutover.journals.entries import Break, Chain, Entry, When, next_entry, verify
from popkit.cutover.journals.guarding import Guard
from popkit.cutover.journals.lock import Lock, in_use
from popkit.errors import CannotWrite, UsageError
from popkit.texts import Sentence, Text, sentence

__all__ = [
    "CREATED",
    "FORMAT",
    "NAME",
    "TAKEN_OVER",
    "TORN",
    "Break",
    "Chain",
    "ClusterTime",
    "Entry",
    "Journal",
    "When",
    "verify",
]

NAME = "journal.jsonl"
FORMAT = "popkit.journal/1"
CREATED, TAKEN_OVER, TORN = "created", "lock_taken_over", "torn_line_kept"
"""Kinds of entries that the journal writes of itself."""

ALTERED = Text("{file}, line {line}: {why}", "{file} の {line} 行目: {why}")
KEEP_AND_COMPARE = Text(
    "do not act on this run: copy its folder away as evidence, compare the journal with a copy or "
    "with the head that was written down, "
    "and look at the chain itself for what was done",
    "この RUN では操作しないでください。フォルダーを証拠として複製し、ジャーナルを控えや書き留めた head と比べ、"
    "実際に行われたことはチェーン自体で確認してください",
)
CUT_OFF = Text(
    "entry {n} ({hash}) was written and is not there: the end of the journal was cut off, or an "
    "older copy put in its place",
    "記録 {n}（{hash}）は書き込み済みですが、ありません。ジャーナルの末尾が削除されたか、古い複製に置き換えられています",
)
NO_JOURNAL = Text(
    "{file}: there is no journal; name the folder of a cutover, as `popkit cutover plan` made it",
    "{file}: ジャーナルがありません。`popkit cutover plan` が作成した RUN のフォルダーを指定してください",
)
THERE_ALREADY = Text(
    "{file}: a journal is there already and is never begun anew; go on with it, or choose another "
    "--out",
    "{file}: ジャーナルはすでにあり、作り直すことはできません。続きから進めるか、別の --out を指定してください",
)
OTHER_PLAN = Text(
    "the journal belongs to the plan {found}, and the plan here is {plan}",
    "ジャーナルはプラン {found} のもので、ここにあるプランは {plan} です",
)
PUT_BACK = Text(
    "put the plan back that the journal names, or make a new plan in a folder of its own",
    "ジャーナルに記載のプランを元に戻すか、新しいプランを別のフォルダーに作成してください",
)
NOT_BEGUN: Sentence = sentence(
    "the journal does not begin with the entry that names its plan",
    "ジャーナルが、プランを示す最初の記録で始まっていません",
)
_TORN_FILE = re.compile(r"journal\.torn-([1-9][0-9]{0,5})")
_HEAD = re.compile(rb"([1-9][0-9]{0,8}) ([0-9a-f]{64})\n?")


class ClusterTime(Protocol):
    """A slot and its block time in unix seconds, as an endpoint gave them."""

    @property
    def slot(self) -> int | None: ...
    @property
    def block_time(self) -> int | None: ...


class Journal:
    """A journal that was created or opened; `now` gives unix seconds. Nothing is held open between
    two writes.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path, self._now = path, now
        self.entries: tuple[Entry, ...] = ()
        self._end = 0
        self._guard = Guard(path)
        self._lock = Lock(path.with_name("journal.lock"))
        self._mutex = threading.RLock()
        self._depth, self._owner = 0, (0, 0)
        self.cluster_time: Callable[[], ClusterTime | None] = lambda: None
        """The newest slot and block time that the cluster was seen at; every entry without a clock
        of its own gets it.
        """

    @classmethod
    def create(
        cls,
        path: Path,
        plan_digest: str,
        *,
        by: str = "operator",
        now: Callable[[], float] = time.time,
    ) -> Journal:
        """Begin the journal of a plan with its first entry, whole or not at all.

        Raises UsageError where there is one already, Stopped (`journal_in_use`), CannotWrite.
        """
        journal = cls(path, now)
        with journal._locked():
            if (
                path.exists() or journal._head_file.exists()
            ):  # a head without its journal: that one was removed
                raise UsageError(THERE_ALREADY(file=path.name))
            entry = next_entry(
                None, CREATED, None, by, When(int(now())), {"format": FORMAT, "plan": plan_digest}
            )
            write_whole(path, entry.line + b"\n")
            journal._read()
            journal._pin(entry)
        return journal

    @classmethod
    def open(
        cls, path: Path, plan_digest: str | None = None, *, now: Callable[[], float] = time.time
    ) -> Journal:
        """Open a journal and check every line; a last line without its end is kept aside, unless a
        process is at work just now.

        Raises UsageError where there is none; Stopped: `journal_altered` with the line's number,
        `journal_of_another_plan`.
        """
        journal = cls(path, now)
        if journal._read() or journal._unnamed():
            journal._repair_unless_in_use()
        if plan_digest is not None and journal.plan != plan_digest:
            raise Stopped(
                "journal_of_another_plan",
                OTHER_PLAN(found=journal.plan[:16], plan=plan_digest[:16]),
                PUT_BACK(),
            )
        return journal

    @property
    def plan(self) -> str:
        """The digest of the plan whose journal it is."""
        return str(self.entries[0].facts["plan"])

    @property
    def head(self) -> str:
        """The hash of the newest entry."""
        return self.entries[-1].hash

    def digest(self) -> str:
        """SHA-256 of all lines with their line ends, as hex: of the file, but for a line without
        its end.
        """
        return sha256(b"".join(entry.line + b"\n" for entry in self.entries)).hexdigest()

    def of(self, step: str | None) -> tuple[Entry, ...]:
        """The entries of a step (None: of no step), oldest first."""
        return tuple(entry for entry in self.entries if entry.step == step)

    def last(self, kind: str, step: str | None = None) -> Entry | None:
        """The newest entry of a kind, of one step or (None) of any."""
        return next(
            (
                entry
                for entry in reversed(self.entries)
                if entry.kind == kind and step in (None, entry.step)
            ),
            None,
        )

    def guard(self, secrets: Iterable[str | bytes]) -> None:
        """Take texts or bytes that may never stand in a line: they are written as "…", in whatever
        usual form they occur.
        """
        self._guard.add(secrets)

    def now(self) -> int:
        """Unix seconds by this machine's clock, as entries are dated."""
        return int(self._now())

    def write(
        self,
        kind: str,
        step: str | None = None,
        *,
        by: str = "operator",
        clock: ClusterTime | None = None,
        **facts: Any,
    ) -> Entry:
        """Add an entry, and return it once it is on the disk.

        Raises ValueError for facts that are not JSON; Stopped: `journal_in_use`, `journal_altered`,
        `journal_lock_lost`; CannotWrite, after which the entry does not count.
        """
        clean = self._guard.clean(facts)
        with self._locked():
            self._lock.check()
            if self._size() != self._end:
                self._catch_up()
            return self._append(
                kind, step, by, clock if clock is not None else self.cluster_time(), clean
            )

    @contextmanager
    def held(self) -> Iterator[Journal]:
        """Keep every other process, thread and opening from writing and acting while the block
        runs; it may be nested.

        What another process wrote since is read first. Raises as `write` does, before the block
        begins.
        """
        with self._locked():
            yield self

    @contextmanager
    def _locked(self) -> Iterator[None]:
        here = (os.getpid(), threading.get_ident())
        with self._mutex:
            if self._depth and self._owner != here:
                raise in_use(os.getpid())
            if not self._depth:
                self._take()
            self._depth, self._owner = self._depth + 1, here
        try:
            yield
        finally:
            with self._mutex:
                self._depth -= 1
                if not self._depth:
                    self._lock.release()

    def _take(self) -> None:
        """Take the lock and read what others wrote; an entry names a holder that was killed before
        the file names this one.
        """
        left = self._lock.take()
        try:
            if self.path.exists():
                self._catch_up()
                if left is not None:
                    self._append(TAKEN_OVER, None, "popkit", None, {"held_since": left.since})
            self._lock.sign(self.now())
        except BaseException:
            self._lock.release()
            raise

    def _repair_unless_in_use(self) -> None:
        """Keep a torn line aside; a reader leaves it where it is while another process works, or
        where it may not write.
        """
        try:
            with self._locked():
                pass
        except CannotWrite:
            pass
        except Stopped as stopped:
            if stopped.code not in ("journal_in_use", "journal_no_locks"):
                raise

    def _read(self) -> bytes:
        """Read the file into `entries`; returns what stands behind its last line end. Entries known
        before must still be there.
        """
        pinned = (
            self._pinned()
        )  # before the lines: whoever writes now pins an entry only once its line is there
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            raise UsageError(NO_JOURNAL(file=self.path.name)) from None
        whole, torn = data[: data.rfind(b"\n") + 1], data[data.rfind(b"\n") + 1 :]
        chain = verify(whole.split(b"\n")[:-1])
        if (wrong := self._wrong(chain, pinned)) is not None:
            raise Stopped(
                "journal_altered",
                ALTERED(file=self.path.name, line=wrong.line, why=wrong.why),
                KEEP_AND_COMPARE(),
            )
        self.entries, self._end = chain.entries, len(whole)
        return torn

    def _wrong(self, chain: Chain, pinned: tuple[int, str] | None) -> Break | None:
        """Why lines that were read are not this journal: they do not hold together, or end before
        an entry that was written.
        """
        if chain.breaks:
            return chain.breaks[0]
        first = chain.entries[0] if chain.entries else None
        if first is None or first.kind != CREATED or not isinstance(first.facts.get("plan"), str):
            return Break(1, NOT_BEGUN)
        known = [(entry.n, entry.hash) for entry in self.entries[-1:]] + (
            [pinned] if pinned else []
        )
        for n, digest in known:
            if n > len(chain.entries) or chain.entries[n - 1].hash != digest:
                return Break(min(n, len(chain.entries) + 1), CUT_OFF(n=n, hash=digest[:16]))
        return None

    def _pinned(self) -> tuple[int, str] | None:
        """Number and hash of the newest entry as `journal.head` gives them; None where it does not:
        a power cut can leave it empty.
        """
        try:
            found = _HEAD.fullmatch(self._head_file.read_bytes())
        except OSError:
            return None
        return (int(found[1]), found[2].decode()) if found else None

    @property
    def _head_file(self) -> Path:
        return self.path.with_name("journal.head")

    def _catch_up(self) -> None:
        """Read what is there, and have a torn line kept aside and named. The lock is held."""
        torn = self._read()
        if torn:
            self._keep_aside(torn)
        for path in self._unnamed():
            data = path.read_bytes()
            facts = {"file": path.name, "bytes": len(data), "sha256": sha256(data).hexdigest()}
            self._append(TORN, None, "popkit", None, facts)

    def _unnamed(self) -> list[Path]:
        """Torn lines that are kept and that no entry names yet: the process was killed between the
        two.
        """
        named = {entry.facts.get("file") for entry in self.entries if entry.kind == TORN}
        return [path for _, path in sorted(self._kept()) if path.name not in named]

    def _kept(self) -> list[tuple[int, Path]]:
        found = ((_TORN_FILE.fullmatch(path.name), path) for path in self.path.parent.iterdir())
        return [(int(match[1]), path) for match, path in found if match]

    def _keep_aside(self, torn: bytes) -> None:
        """Write the torn bytes into a file of their own, and only then cut them off the journal."""
        if not any(
            path.read_bytes() == torn for path in self._unnamed()
        ):  # else one was killed between the two
            number = max((number for number, _ in self._kept()), default=0) + 1
            write_whole(self.path.with_name(f"journal.torn-{number}"), torn)
        with self.path.open("r+b") as file:
            file.truncate(self._end)
            os.fsync(file.fileno())

    def _append(
        self,
        kind: str,
        step: str | None,
        by: str,
        clock: ClusterTime | None,
        facts: Mapping[str, Any],
    ) -> Entry:
        at = (
            When(self.now(), clock.block_time, clock.slot)
            if clock is not None
            else When(self.now())
        )
        entry = next_entry(self.entries[-1], kind, step, by, at, facts)
        line = entry.line + b"\n"
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            try:
                write_through(fd, line)
            except BaseException:
                os.ftruncate(
                    fd, self._end
                )  # this process lives: nothing counts of a line that could not be finished
                raise
            finally:
                os.close(fd)
        except OSError as error:
            raise CannotWrite(self.path.name, error) from None
        self.entries, self._end = (*self.entries, entry), self._end + len(line)
        self._pin(entry)
        return entry

    def _pin(self, entry: Entry) -> None:
        """Have `journal.head` name the newest entry; not waited for, as a head that is behind is no
        contradiction.
        """
        new = self._head_file.with_name("journal.head.new")
        try:
            new.write_bytes(f"{entry.n} {entry.hash}\n".encode())
            new.replace(self._head_file)
        except OSError:
            return  # the entry counts all the same; the disk says so again at the next one

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            raise UsageError(NO_JOURNAL(file=self.path.name)) from None
