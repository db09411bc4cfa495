"""Run the notebooks through papermill: each in a kernel of this very Python, all of them or none.

A kernel's working directory holds the case under the name `case`, so that no path of the machine
gets into a notebook.
"""

from __future__ import annotations

import contextvars
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop

from popkit.errors import EXIT_INTERNAL, PopkitError
from popkit.reporting.normal import dumps, normal
from popkit.reporting.sources import NAMES, notebooks_folder

Progress = Callable[[str], object]
CELL_TIMEOUT = 900
"""Seconds that one cell may take."""
MAX_SOCKET_PATH = 80
"""Characters of a path that every system can make a socket of, with room for the kernel's own
ending.
"""
AT_ONCE = 2
"""Notebooks run at the same time."""


class NotebookFailed(PopkitError):
    """A notebook did not run to its end; `notebook` and `cell` (from 1) say where."""

    code = "notebook_failed"
    exit_code = EXIT_INTERNAL

    def __init__(self, notebook: str, cell: int | None, problem: str) -> None:
        self.notebook, self.cell = notebook, cell
        where = f"notebook {notebook}" + (f", cell {cell}" if cell is not None else "")
        super().__init__(
            f"{where}: {problem}; nothing was written (popkit diagnose answers without notebooks)"
        )


class ThisPython(AsyncKernelManager):
    """A kernel of the interpreter that runs popkit, whatever kernels the machine has: no history,
    no start-up files, no warnings.

    `room` is its directory: the log is there, and its sockets, which are files where the system has
    such and the path is short enough.
    """

    room = Path()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.connection_file = str(self.room / "kernel.json")
        if sys.platform != "win32" and len(self.connection_file) < MAX_SOCKET_PATH:
            self.transport, self.ip = "ipc", str(self.room / "k")

    @property
    def kernel_spec(self) -> KernelSpec:
        quiet = ["--HistoryManager.enabled=False", "--IPKernelApp.exec_PYTHONSTARTUP=False"]
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *quiet],
            display_name="Python 3",
            language="python",
            env={
                "PYTHONWARNINGS": "ignore",
                "MPLBACKEND": "agg",
                "IPYTHONDIR": str(self.room / "ipython"),
                "PYTHONHASHSEED": "0",
            },
        )

    async def start_kernel(self, **kwargs: Any) -> None:  # type: ignore[override]  # the base declares its own as Callable
        """Start the kernel; what it writes to its terminal goes to the log."""
        with (self.room / "log").open("wb") as log:
            await self._async_start_kernel(stdout=log, stderr=log, **kwargs)


def run_notebooks(
    case_path: Path, out_dir: Path, parameters: Mapping[str, str], progress: Progress
) -> dict[str, Any]:
    """Run every notebook on a case and write them, executed and in normal form, into `out_dir`; the
    notebooks by name, in reading order.

    `parameters` are those of `Parameters` but CASE, which is always `case`. Nothing is written
    unless all of them ran to their end; raises NotebookFailed naming notebook and cell.
    """
    folder = notebooks_folder()
    sources = {name: read_source(folder / f"{name}.ipynb") for name in NAMES}
    with tempfile.TemporaryDirectory(prefix="popkit-") as room:
        work = Path(room)
        (work / "case").symlink_to(case_path.resolve(), target_is_directory=True)
        made = run_all(sources, work, {**parameters, "CASE": "case"}, progress)
    out_dir.mkdir(parents=True, exist_ok=True)
    for name, notebook in made.items():
        (out_dir / f"{name}.ipynb").write_bytes(dumps(notebook).encode())
    return made


def read_source(path: Path) -> Any:
    """A notebook to be run. Its outputs are those of another case: they are left behind."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def run_all(
    sources: Mapping[str, Any], work: Path, parameters: Mapping[str, str], progress: Progress
) -> dict[str, Any]:
    """Every notebook executed, in normal form, by name; `work` is the kernels' working directory.
    The first failure stops the rest.
    """
    with (
        tempfile.TemporaryDirectory(prefix="popkit-") as rooms,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        running = {
            pool.submit(_run_one, name, source, work, Path(rooms), parameters, progress): name
            for name, source in sources.items()
        }
        _, waiting = wait(running, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
    failed = [
        error
        for future in running
        if not future.cancelled() and (error := future.exception()) is not None
    ]
    if failed:
        raise failed[0]
    return {name: future.result() for future, name in running.items()}


def _run_one(
    name: str,
    source: Any,
    work: Path,
    rooms: Path,
    parameters: Mapping[str, str],
    progress: Progress,
) -> Any:
    room = rooms / name[:2]
    room.mkdir()
    manager = type("ThisPython", (ThisPython,), {"room": room})
    try:
        done = contextvars.Context().run(_execute, source, work, parameters, manager)
    except papermill.PapermillExecutionError as error:
        raise NotebookFailed(
            name, int(error.cell_index) + 1, f"{error.ename}: {error.evalue}"
        ) from error
    except Exception as error:  # a dead kernel, a timeout: nbclient has a class for each
        raise NotebookFailed(
            name,
            None,
            f"{type(error).__name__}: {_last_line(str(error)) or _last_line(_log(room))}",
        ) from error
    _check_whole(name, done)
    progress(f"notebook {name}: {sum(cell['cell_type'] == 'code' for cell in done['cells'])} cells")
    return normal(done, name)


def _execute(
    source: Any, work: Path, parameters: Mapping[str, str], manager: type[ThisPython]
) -> Any:
    """papermill on one notebook. nbclient makes an event loop for the thread and leaves it open;
    this one is closed.
    """
    try:
        return papermill.execute_notebook(
            source,
            None,
            parameters=dict(parameters),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            execution_timeout=CELL_TIMEOUT,
            kernel_manager_class=manager,
            resources={"metadata": {"path": str(work)}},
        )
    finally:
        ensure_event_loop().close()


def _log(room: Path) -> str:
    return (room / "log").read_text("utf-8", "replace") if (room / "log").is_file() else ""


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _check_whole(name: str, done: Any) -> None:
    """Every cell ran to its end. papermill lets a cell that calls sys.exit() pass; a report must
    not end in the middle.
    """
    for number, cell in enumerate(done["cells"], 1):
        if cell["cell_type"] != "code":
            continue
        failed = [output for output in cell["outputs"] if output["output_type"] == "error"]
        if failed:
            raise NotebookFailed(
                name, number, f"{failed[0]['ename']}: {failed[0]['evalue'] or 'stopped early'}"
            )
        if (
            cell["metadata"].get("papermill", {}).get("status") != "completed"
            or cell["execution_count"] is None
        ):
            raise NotebookFailed(name, number, "did not run to its end")
