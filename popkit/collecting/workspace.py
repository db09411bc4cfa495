"""An unfinished case on disk: what came back is appended and written down at once, and sealed at
the end.

The folder is `<out>.collecting` until it is sealed, so that nobody takes half a case for a whole
one. Lines are appended to the case's files first, then the custody line that names them: a kill
between the two leaves lines that no custody line names, and they are cut off when the collection
goes on. What a custody line names is never fetched again and never touched.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any

from popkit import __version__
from popkit.collecting.custody import Custody, durable
from popkit.errors import CaseUnreadable, UsageError
from popkit.evidence.custody import Kept, digest_of_range, kept_of
from popkit.evidence.layout import CUSTODY, HEADER, MANIFEST
from popkit.evidence.manifest import case_files, sha256_of
from popkit.text import for_json

TOOL = f"popkit {__version__}"
_ALTERED = "the unfinished collection was altered; start again with another --out"


class Workspace:
    """The folder of one collection, new or gone on with.

    `plan` is what is asked for, without secrets: the same plan goes on with an unfinished
    collection, another one is refused. `clock` gives unix seconds. Raises UsageError when `out`
    exists, when another process collects into it, or when the plan differs.
    """

    def __init__(
        self, out: Path, plan: dict[str, Any], clock: Callable[[], float] = time.time
    ) -> None:
        self.out, self.plan, self.clock = out, plan, clock
        self.root = out.with_name(f"{out.name}.collecting")
        if out.exists():
            raise UsageError(
                f"{out}: exists already; a sealed case is never changed: choose another --out, or "
                f"name it with --extend"
            )
        self.root.mkdir(parents=True, exist_ok=True)
        self._files: dict[str, IO[bytes]] = {}
        self._steps: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = self._locked()
        try:
            self.custody = Custody(self.root / CUSTODY)
        except BaseException:
            self._release()
            raise
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        """Take up what is there, or begin anew."""
        self.resumed = bool(self.custody.records)
        if self.resumed:
            self._go_on()
        else:
            self._clear()
        self.custody.append(
            {
                "kind": "resume" if self.resumed else "begin",
                "at": self.clock(),
                "tool": TOOL,
                "plan": self.plan,
            }
        )

    def _locked(self) -> IO[bytes]:
        path = self.root / ".lock"
        lock = path.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (
                os.fstat(lock.fileno()).st_ino != path.stat().st_ino
            ):  # it was let go, and removed, just before it was ours
                raise BlockingIOError
        except OSError:
            lock.close()
            raise UsageError(
                f"{self.root}: another process is collecting into it; wait for it, or choose "
                f"another --out"
            ) from None
        return lock

    def _go_on(self) -> None:
        begun = self.custody.records[0].get("plan")
        if begun != self.plan:
            raise UsageError(
                f"{self.root}: was begun to collect something else; give the same command again, "
                f"or choose another --out "
                f"(begun: {json.dumps(begun)}, now: {json.dumps(self.plan)})"
            )
        ends: dict[str, int] = {}
        for number, record in enumerate(self.custody.records, 1):
            if not isinstance(record.get("at"), int | float):
                raise CaseUnreadable(
                    "is not a custody record: it has no time",
                    file=CUSTODY,
                    line=number,
                    advice=_ALTERED,
                )
            for kept in kept_of(record):
                if digest_of_range(self.root / kept.file, kept.offset, kept.size) != kept.sha256:
                    raise CaseUnreadable(
                        f"bytes {kept.offset}+{kept.size} are not those that were received",
                        file=kept.file,
                        advice=_ALTERED,
                    )
                ends[kept.file] = max(ends.get(kept.file, 0), kept.offset + kept.size)
            if step := record.get("step"):
                self._steps[step] = (record["at"], record)
        newest = max(record["at"] for record in self.custody.records)
        if self.clock() < newest:
            # The clock was set back since: how old an answer is cannot be told, so none counts as of this moment.
            self._steps = {step: (-math.inf, record) for step, (_, record) in self._steps.items()}
        for name, path in case_files(self.root).items():
            if name not in (CUSTODY, *ends):
                path.unlink()
            elif name in ends:
                os.truncate(path, ends[name])

    def _clear(self) -> None:
        """Remove what a process killed before its first custody line may have left."""
        for name, path in case_files(self.root).items():
            if name != CUSTODY:
                path.unlink()

    def remembered(self, step: str, max_age: float | None = None) -> dict[str, Any] | None:
        """The custody record of a step that was answered before, if it is at most `max_age` seconds
        old.
        """
        at, record = self._steps.get(step, (0.0, None))
        if record is None or (max_age is not None and not 0 <= self.clock() - at <= max_age):
            return None
        return record

    def lines(self, record: dict[str, Any]) -> list[bytes]:
        """The lines that an answer left in the case."""
        found: list[bytes] = []
        for kept in kept_of(record):
            with (self.root / kept.file).open("rb") as file:
                file.seek(kept.offset)
                found += file.read(kept.size).split(b"\n")[:-1]
        return found

    def asks(self, **what: Any) -> int:
        """Write down that a request is about to be sent; returns the number its answer refers to."""
        return self.custody.append({"kind": "ask", "at": self.clock(), **what}, through=False)

    def keeps(self, rows: Mapping[str, Iterable[bytes]], **what: Any) -> dict[str, Any]:
        """Append lines to files of the case, then write down where they came from; returns the
        custody record.

        `rows` are lines without their line end by file; a `step` in `what` names the step that is
        thereby answered.
        """
        kept = [
            self._append(name, b"".join(line + b"\n" for line in lines))
            for name, lines in rows.items()
        ]
        record = {**what, "at": self.clock(), "kept": [row for row in kept if row.size]}
        self.custody.append(record, through=any(row.size for row in kept))
        record["kept"] = [
            {name: getattr(row, name) for name in Kept.__slots__} for row in kept if row.size
        ]
        if step := what.get("step"):
            self._steps[step] = (record["at"], record)
        return record

    def _append(self, name: str, data: bytes) -> Kept:
        file = self._files.get(name)
        if file is None:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            file = self._files[name] = path.open("ab")
        offset = file.tell()
        if data:
            file.write(data)
            durable(file)
        return Kept(name, offset, len(data), hashlib.sha256(data).hexdigest())

    def touch(self, name: str) -> None:
        """Make a file of the case exist though it may stay empty: asked for, and nothing there."""
        self._append(name, b"")

    def write(self, name: str, data: bytes) -> None:
        """Write a whole document, derived from what was kept; before sealing it may be written
        again.
        """
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def seal(self, header: dict[str, Any]) -> Path:
        """Write case.json and the manifest, and give the folder its name; returns the sealed case.

        `header` is case.json's content; the custody record's head is added to its `sources`.
        """
        for file in self._files.values():
            file.close()
        digests = {
            name: sha256_of(path)
            for name, path in case_files(self.root).items()
            if name not in (CUSTODY, MANIFEST, HEADER)
        }
        self.custody.append({"kind": "sealed", "at": self.clock(), "tool": TOOL, "files": digests})
        self.custody.close()
        sources = {
            **header["sources"],
            "custody": {"lines": self.custody.count, "head": self.custody.head},
        }
        self.write(
            HEADER, for_json({**header, "sources": sources}, indent=1, sort_keys=False).encode()
        )
        for name in (CUSTODY, HEADER):
            digests[name] = sha256_of(self.root / name)
        self.write(
            MANIFEST,
            "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode(),
        )
        for name in (HEADER, MANIFEST):
            with (self.root / name).open("rb") as written:
                os.fsync(written.fileno())
        self._release()
        self.root.rename(self.out)
        return self.out

    def close(self) -> None:
        """Let go of an unfinished collection; everything stays on disk for the same command to go
        on.
        """
        for file in self._files.values():
            file.close()
        self.custody.close()
        self._release()

    def discard(self) -> None:
        """Remove an unfinished collection that has asked nobody anything; one that has asked stays."""
        if not any(record.get("kind") == "ask" for record in self.custody.written()):
            self.close()
            shutil.rmtree(self.root)

    def _release(self) -> None:
        (self.root / ".lock").unlink(missing_ok=True)
        self._lock.close()
