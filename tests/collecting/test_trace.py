"""A whole collection while claims go on: what it asks of the worker, and what that costs the
evidence.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from popkit.collecting.worker import ONE_MOMENT
from popkit.evidence.layout import AUDIT_LOGS, ENDPOINTS
from tests.conftest import CASES
from tests.trace_collect import trace

CASE = CASES / "out-of-order"


@pytest.mark.parametrize(("claim_every", "request_takes"), [(20.0, 0.1), (20.0, 8.0)])
def test_the_list_comes_first_and_is_asked_as_seldom_as_a_moment_allows(
    claim_every: float, request_takes: float, tmp_path: Path
) -> None:
    found = trace(CASE, tmp_path / "case", claim_every, request_takes)
    assert next(iter(found.requests)) == AUDIT_LOGS.path
    assert set(found.requests) == {endpoint.path for endpoint in ENDPOINTS}
    answered = {endpoint.path for endpoint in ENDPOINTS if (CASE / endpoint.file).is_file()}
    assert {found.requests[path] for path in answered - {AUDIT_LOGS.path}} == {1}
    assert found.requests[AUDIT_LOGS.path] <= 1 + min(found.rounds, found.seconds / ONE_MOMENT)
    assert found.lost <= 1, "what the first request itself pushed out, before it was answered"
    assert f"popkit's own requests appended up to {found.of_requests}" in found.says


def test_rows_that_nobody_can_have_seen_are_said(tmp_path: Path) -> None:
    found = trace(CASE, tmp_path / "case", 1.0, 8.0)
    assert found.requests[AUDIT_LOGS.path] > 1
    assert found.lost > 50
    assert "those between were not seen" in found.says
    assert any("not seen" in text for text in found.collected.left_out)
