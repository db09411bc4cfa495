"""Exports of the worker's storage in every form, and what is withheld from them."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.exports import Exports
from popkit.errors import UsageError
from tests.collecting.taking_apart import (
    diagnosed_again,
    diagnosis,
    reasons,
    rows_of,
    text_of,
    write,
)
from tests.conftest import CASES
from tests.exported import links_in, read_exports

CASE = "storage-only"
SECRETS: dict[str, Any] = {
    "user:hana": {
        "id": "hana",
        "pinHash": "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4",
        "displayName": "Hana",
    },
    "admin_code:c0ffee-live-code": {"adminId": "a1", "name": "Sato", "revokedAt": None},
    "security_rate_limit:192.0.2.7": {"windowStartMs": 1},
    "settings:mail": {"smtp": {"password": "hunter2"}},
}
BIG = '{"n":12345678901234567890,"f":1.10,"e":1E400,"text":"\\ud800 \\u00e9"}'


def _texts() -> dict[str, str]:
    """Every row of the case's storage as key and text of its value, with a number that no reader
    keeps.
    """
    rows = {}
    for line in (text_of(CASE, "worker/storage.jsonl") or "").splitlines():
        key = json.loads(line)["key"]
        rows[key] = line[line.index('"value":') + 8 : -1]
    return {**rows, "claim:evt-x:big": BIG}


def _object(rows: dict[str, str]) -> str:
    return "{" + ",\n ".join(f"{json.dumps(key)}: {value}" for key, value in rows.items()) + "}"


FORMS = {
    "dump.json": _object,
    "rows.json": lambda rows: (
        "[" + ",\n".join(f'{{"key":{json.dumps(k)},"value":{v}}}' for k, v in rows.items()) + "]"
    ),
    "entries.json": lambda rows: (
        "[" + ",".join(f"[{json.dumps(k)}, {v}]" for k, v in rows.items()) + "]"
    ),
    "export.jsonl": lambda rows: "\n".join(
        f'{{"value":{v},"key":{json.dumps(k)}}}' for k, v in rows.items()
    ),
    "with-more.ndjson": lambda rows: "\n".join(
        f'{{"key":{json.dumps(k)},"value":{v},"token":"s3cret"}}' for k, v in rows.items()
    ),
    "behind-each-other.txt": lambda rows: "".join(
        f'{{"key":{json.dumps(k)},\n"value":{v}}}' for k, v in rows.items()
    ),
    "one-line.json": lambda rows: _object(rows).replace("\n", ""),
}


def _with_secrets() -> dict[str, str]:
    rows = {**_texts(), **{key: json.dumps(value) for key, value in SECRETS.items()}}
    keys = list(rows)
    random.Random(3).shuffle(keys)
    return {key: rows[key] for key in keys}


def _lines(exports: Exports) -> list[str]:
    return [line.decode() for line in exports.rows["worker/storage.jsonl"]]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows_with_their_values_untouched(
    form: str, tmp_path: Path
) -> None:
    write(tmp_path / form, FORMS[form](_with_secrets()))
    lines = _lines(read_exports([tmp_path]))
    assert lines == [
        f'{{"key":{json.dumps(key)},"value":{value}}}' for key, value in sorted(_texts().items())
    ]


@pytest.mark.parametrize("form", FORMS)
def test_credentials_are_withheld_counted_and_named_by_prefix_alone(
    form: str, tmp_path: Path
) -> None:
    write(tmp_path / form, FORMS[form](_with_secrets()))
    exports = read_exports([tmp_path])
    assert exports.withheld == {"admin_code:": 1, "security_": 1, "settings:": 1, "user:": 1}
    for secret in ("hana", "03ac6742", "c0ffee", "192.0.2.7", "hunter2", "s3cret"):
        assert secret not in repr(exports), secret
    assert (
        "4 rows that hold credentials were withheld (admin_code:, security_, settings:, user:)"
        in exports.used[0].note
    )


def test_two_exports_count_a_withheld_row_once(tmp_path: Path) -> None:
    for form, make in FORMS.items():
        write(tmp_path / form, make(_with_secrets()))
    exports = read_exports([tmp_path])
    assert exports.withheld == {"admin_code:": 1, "security_": 1, "settings:": 1, "user:": 1}
    assert len(_lines(exports)) == len(_texts())


def test_a_cut_line_of_a_storage_export_is_not_carried_over(tmp_path: Path) -> None:
    good = '{"key":"pop_chain:lastHash:global:x","value":"GENESIS"}'
    write(
        tmp_path / "worker" / "storage.jsonl",
        f'{good}\n{{"key":"user:hana","value":{{"pinHash":"03ac',
    )
    exports = read_exports([tmp_path])
    assert _lines(exports) == [good]
    assert exports.used[0].note == "1 lines are no rows {key, value}, the first in line 2"
    assert "03ac" not in repr(exports)


def test_rows_withheld_from_a_case_do_not_come_back(tmp_path: Path) -> None:
    write(tmp_path / "worker" / "storage.jsonl", FORMS["export.jsonl"](_with_secrets()))
    exports = read_exports([tmp_path])
    assert sum(exports.withheld.values()) == 4
    assert len(_lines(exports)) == len(_texts())


def test_a_repeated_key_with_another_value_is_two_lines(tmp_path: Path) -> None:
    write(
        tmp_path / "dump.json",
        '{"pop_chain:lastHash:global:x":"GENESIS","pop_chain:lastHash:global:x":"%s"}' % ("a" * 64),
    )
    assert len(_lines(read_exports([tmp_path]))) == 2


@pytest.mark.parametrize(
    "prefix",
    ["event:", "claim:", "user:"],
)
def test_a_partial_export_is_one(prefix: str, tmp_path: Path) -> None:
    rows = {key: value for key, value in _with_secrets().items() if key.startswith(prefix)}
    write(tmp_path / "part.json", _object(rows))
    exports = read_exports([tmp_path])
    assert len(_lines(exports)) == (0 if prefix == "user:" else len(rows))


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"popkit","scripts":{"audit:fix":"npm audit fix","claim:all":"x"},"dependencies":{}}',
        '{"audit:fix":"npm audit fix","event:poll":"node x"}',
        '[{"key":"theme","value":"dark"},{"key":"user","value":1}]',
        '{"key":"theme","value":"dark"}\n{"key":"size","value":3}\n',
        '[["a",1],["b",2]]',
        '{"key":"ticket_receipt","value":{}}',
        '{"audit:lastHash:x":"yes"}',
        "{}",
        "[]",
        "null",
        "3",
    ],
)
def test_look_alikes_are_not_taken(text: str, tmp_path: Path) -> None:
    write(tmp_path / "package.json", text)
    with pytest.raises(UsageError, match=r"package\.json is nothing that a case is made of"):
        read_exports([tmp_path])
    write(tmp_path / "errors.jsonl", "")
    assert list(reasons(read_exports([tmp_path]))) == ["package.json"]


def test_an_export_in_another_form_gives_the_same_findings(tmp_path: Path) -> None:
    rows = {row["key"]: row["value"] for row in rows_of(CASE, "worker/storage.jsonl")}
    write(tmp_path / "dump.json", json.dumps(rows, indent=2))
    exports = read_exports([CASES / CASE])
    exports.rows["worker/storage.jsonl"] = read_exports([tmp_path]).rows["worker/storage.jsonl"]
    assert diagnosed_again(exports, CASE, tmp_path / "again") == diagnosis(CASES / CASE)


def test_links_are_found_in_storage_alone(tmp_path: Path) -> None:
    write(tmp_path / "storage.jsonl", text_of(CASE, "worker/storage.jsonl") or "")
    events = json.loads((CASES / CASE / "case.json").read_text())["events"]
    assert links_in(read_exports([tmp_path])) == [(link["event"], link["grant"]) for link in events]
