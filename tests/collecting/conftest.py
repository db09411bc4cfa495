"""Failures are answered at once: what is tested is what happens, not how long it takes."""

from __future__ import annotations

import pytest

from popkit.collecting import fetching, limits


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BACKOFF_FIRST", 0.005)
    monkeypatch.setattr(limits, "BACKOFF_MOST", 0.02)
    monkeypatch.setattr(fetching, "REST_BETWEEN_PASSES", 0.005)
