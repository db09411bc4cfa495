"""A record held against a node that a stranger chose: the recorded cutover, served; false records,
a pruned node, a silent one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from popkit.collecting.address import Address
from popkit.cutover.pages.screen import Screen
from popkit.cutover.records.verifying import verify_record
from popkit.cutover.sending.endpoint import Endpoint
from tests.conftest import popkit
from tests.cutover.records import CUTOVER, NEW, OLD, cutover_case, stated, written
from tests.serving.harness import served

OTHER = "8g8dkr66qAchamDgn5CaetxRY3Ybz4KKgZMS1XTb85Cy"
UNSEEN = "5" * 88


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    """A node that holds the recorded cutover."""
    with served(CUTOVER) as url:
        yield str(url)


@pytest.fixture(scope="module")
def genesis(node: str) -> str:
    with Endpoint("node", Address(node)) as endpoint:
        return str(endpoint.ask("getGenesisHash", []))


@pytest.fixture
def record(genesis: str, tmp_path: Path) -> Any:
    """Writes the true record with some changes, and gives its place."""

    def write(**changes: Any) -> Path:
        return written(
            tmp_path / "record.json",
            stated(cutover_case(), OLD, NEW, **{"genesis_hash": genesis, **changes}),
        )

    return write


def rows(screen: Screen, tone: str) -> set[str]:
    """The labels of the rows of a tone."""
    return {str(row.label) for row in screen.rows if row.tone == tone}


def test_a_true_record_holds_line_by_line(node: str, record: Any) -> None:
    place = record()
    done = popkit("cutover", "verify", place, "--rpc", node)
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "0 violated, 0 cannot be told" in text
    for line in ("the cluster's genesis hash", "the old chain's head since", "the transaction of "
                                                                             "step 2", "the first new claim's parent",
                 "pop-config's signer at the switch", "the new grant's address"):  # fmt: skip
        assert any(
            row.startswith("✓") and line in row and "holds: " in row for row in text.splitlines()
        ), line
    assert "which the worker alone shows" in text
    japanese = popkit("--lang", "ja", "cutover", "verify", place, "--rpc", node)
    assert japanese.returncode == 0
    assert "違反 0 件、判定不能 0 件" in japanese.stdout.decode()


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({"old__heads__on_chain": "5" * 64}, {"the old chain's head since"}),
        ({"new__start_ts": 7}, {"the new grant's start"}),
        ({"new__signer": OTHER}, {"the first new claim's signer"}),
        ({"new__genesis": "5" * 64}, {"the first new claim's parent"}),
        ({"signer": OTHER}, {"pop-config's signer at the switch"}),
        ({"transactions__0__slot": 7}, {"the transaction of step 0"}),
        (
            {"transactions__1__signature": UNSEEN},
            {"the transaction of step 2", "what created the new grant"},
        ),
        ({"old__last_good__slot": 443211437}, {"the last good claim"}),
        ({"genesis_hash": OTHER}, {"the cluster's genesis hash"}),
    ],
)
def test_a_false_statement_is_violated_and_says_both_sides(
    node: str, record: Any, changes: dict[str, Any], labels: set[str]
) -> None:
    screen = verify_record(record(**changes), node)
    assert screen.exit_code == 1
    assert rows(screen, "stop") == {*labels, "result"}
    violated = [row for row in screen.rows if row.tone == "stop" and row.label != "result"]
    assert all(
        "the record states" in str(line) and "the chain shows" in str(line)
        for row in violated
        for line in row.lines
    )


def test_a_node_of_another_cluster_is_asked_for_nothing_more(node: str, record: Any) -> None:
    screen = verify_record(record(genesis_hash=OTHER), node)
    assert not rows(screen, "good")


def test_what_cannot_be_told_is_no_success(node: str, record: Any) -> None:
    screen = verify_record(record(genesis_hash=None), node)
    assert screen.exit_code == 3
    assert rows(screen, "note") == {"the cluster's genesis hash", "result", "not checked"}


def test_a_node_without_the_history_contradicts_nothing(
    record: Any, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """Its lists begin too late, and it gives no old transaction: absence there says nothing."""
    monkeypatch.setattr(Endpoint, "transaction", lambda self, signature: None)
    screen = verify_record(record(transactions__0__signature=UNSEEN), node)
    assert screen.exit_code == 3
    assert not rows(screen, "stop")
    assert rows(screen, "note") >= {
        "the transaction of step 0",
        "the transaction of step 2",
        "the last good claim",
        "the first new claim's parent",
    }
    assert rows(screen, "good") >= {"the new grant's authority", "the old chain's head since"}, (
        "accounts are of now, whatever the node forgot"
    )


def test_a_node_that_is_silent_tells_nothing(record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Endpoint.__init__, "__kwdefaults__", {"attempts": 1, "sleep": lambda seconds: None}
    )
    screen = verify_record(record(), "http://127.0.0.1:9")
    assert screen.exit_code == 3
    assert rows(screen, "note") == {"the node"}


def test_no_record_is_refused_before_anybody_is_asked(tmp_path: Path) -> None:
    assert (
        popkit(
            "cutover", "verify", tmp_path / "none.json", "--rpc", "http://127.0.0.1:9"
        ).returncode
        == 2
    )
    (tmp_path / "edited.json").write_text("{}")
    refused = popkit("cutover", "verify", tmp_path / "edited.json", "--rpc", "http://127.0.0.1:9")
    assert refused.returncode == 3
    assert b"is not a record of a cutover" in refused.stderr
