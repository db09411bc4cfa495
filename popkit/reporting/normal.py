"""A notebook in its normal form: the same bytes for the same content, wherever and whenever it was
run.
"""

from __future__ import annotations

import re
from typing import Any

import nbformat

from popkit.text import for_notebook

v4: Any = nbformat.v4
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
_INJECTED = "injected-parameters"
HIDDEN = "remove-cell"
"""The tag of a cell that a notebook needs and a report does not; nbconvert knows it too."""
_KEPT_TAGS = ("parameters", _INJECTED, HIDDEN)


def normal(notebook: Any, name: str) -> Any:
    """A copy without times, machine or library versions: counts from 1, ids kept or made from the
    notebook's name, known metadata only.

    What libraries write to standard error is left out: warnings are about a machine, not about a
    case.
    """
    made = v4.new_notebook(
        metadata={"kernelspec": dict(KERNELSPEC), "language_info": {"name": "python"}}
    )
    made["nbformat_minor"] = 5
    count = 0
    taken: set[str] = set()
    for number, cell in enumerate(notebook["cells"]):
        tags = [tag for tag in cell["metadata"].get("tags", ()) if tag in _KEPT_TAGS]
        cell_id = _id(cell.get("id"), name, number, tags, taken)
        metadata: dict[str, Any] = {"tags": tags} if tags else {}
        if cell["cell_type"] == "markdown":
            made["cells"].append(
                v4.new_markdown_cell(cell["source"], id=cell_id, metadata=metadata)
            )
            continue
        count += 1
        outputs = [
            _output(output, count) for output in cell.get("outputs", ()) if not _is_warning(output)
        ]
        made["cells"].append(
            v4.new_code_cell(
                cell["source"],
                id=cell_id,
                metadata=metadata,
                outputs=outputs,
                execution_count=count,
            )
        )
    nbformat.validate(made)
    return made


def _id(given: str | None, name: str, number: int, tags: list[str], taken: set[str]) -> str:
    """The author's id; a name of its own for the injected cell, whose id is drawn at random; else
    the cell's place.
    """
    cell_id = (
        _INJECTED
        if _INJECTED in tags
        else given or f"{re.sub(r'[^A-Za-z0-9-]', '-', name)}-{number}"
    )
    while cell_id in taken:
        cell_id += "-"
    taken.add(cell_id)
    return cell_id


def _is_warning(output: Any) -> bool:
    return bool(output["output_type"] == "stream" and output["name"] == "stderr")


def _output(output: Any, count: int) -> Any:
    """An output with its content and its alternative text, and nothing else; other people's text in
    it is visible.
    """
    kind = output["output_type"]
    if kind == "stream":
        return v4.new_output("stream", name="stdout", text=for_notebook(output["text"]))
    if kind == "error":
        trace = [for_notebook(line) for line in output["traceback"]]
        return v4.new_output(
            "error", ename=output["ename"], evalue=for_notebook(output["evalue"]), traceback=trace
        )
    data = {mime: _let_out(output["data"][mime]) for mime in sorted(output["data"])}
    if "image/png" in data:
        data["image/png"] = "".join(str(data["image/png"]).split())
    alts = {
        mime: {"alt": for_notebook(about["alt"])}
        for mime, about in output["metadata"].items()
        if mime in data and "alt" in about
    }
    more = {"execution_count": count} if kind == "execute_result" else {}
    return v4.new_output(kind, data=data, metadata=alts, **more)


def _let_out(data: Any) -> Any:
    """Text of an output, visible; other data (a picture's, JSON) as it is."""
    return for_notebook(data) if isinstance(data, str) else data


def dumps(notebook: Any) -> str:
    """A normal notebook as it is written: keys ascending, one space, text as lists of lines, a line
    end last.
    """
    return str(v4.writes(notebook)).rstrip("\n") + "\n"
