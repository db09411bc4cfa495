"""How far an export reaches: what a listing did not come to is not gone, and what it went past is."""

from __future__ import annotations

from typing import Any

import pytest

from popkit.audit.extents import BucketExtent, Exported, StorageExtent
from tests.diagnosis.audit_rows import line, objects

ABSENT, NOT_COVERED, PRESENT = Exported.ABSENT, Exported.NOT_COVERED, Exported.PRESENT
HEAD, TWIN = "pop_chain:lastHash:global:{}", "pop_chain:lastHash:stream:{}"
WHOLE = (
    "audit:lastHash:global", "audit_entry:aa", "audit_history:2026:aa", "event:e", "pop_chain:history:2026:bb",
    *(kind.format(grant) for kind in (HEAD, TWIN) for grant in "ACZ"), "ticket_receipt:e:c",
)  # fmt: skip


@pytest.mark.parametrize(
    ("key", "wanted"),
    [
        (HEAD.format("A"), PRESENT),
        (HEAD.format("B"), ABSENT),
        (TWIN.format("B"), ABSENT),
        (HEAD.format("zz"), ABSENT),
        (TWIN.format("zz"), NOT_COVERED),
        ("ticket_receipt:f", NOT_COVERED),
        ("audit", NOT_COVERED),
        ("claim:e:1", NOT_COVERED),
        ("pop_chain:history:2025:cc", ABSENT),
    ],
)
def test_a_key_of_a_whole_export(key: str, wanted: Exported) -> None:
    assert StorageExtent(WHOLE).of(key) is wanted
    assert StorageExtent(reversed(WHOLE)).covers(key) is (wanted is not NOT_COVERED)
    assert StorageExtent(()).of(key) is NOT_COVERED


@pytest.mark.parametrize("count", range(len(WHOLE)))
def test_nothing_after_the_end_of_a_listing_is_absent(count: int) -> None:
    extent = StorageExtent(WHOLE[:count])
    assert all(extent.of(key) is NOT_COVERED for key in WHOLE[count:])
    assert all(extent.of(key) is PRESENT for key in WHOLE[:count])
    late = StorageExtent(WHOLE[count:])
    assert all(late.of(key) is NOT_COVERED for key in WHOLE[:count])


def test_a_listing_by_prefix_that_ended_inside_one() -> None:
    extent = StorageExtent([key for key in WHOLE if not key.startswith("pop_chain:lastHash:")])
    assert {extent.of(key) for key in WHOLE if key.startswith("pop_chain:lastHash:")} == {
        NOT_COVERED
    }
    assert extent.ends_early([HEAD.format("A")]) == "pop_chain:history:2026:bb"
    assert extent.ends_early([]) is None, (
        "a worker whose clients give the parents never writes a head"
    )
    assert StorageExtent(WHOLE).ends_early([HEAD.format("A"), HEAD.format("B")]) is None


@pytest.mark.parametrize(("lost", "kept"), [(HEAD, TWIN), (TWIN, HEAD)])
@pytest.mark.parametrize("grant", "ACZ")
def test_one_head_of_two_is_a_row_that_was_lost(lost: str, kept: str, grant: str) -> None:
    extent = StorageExtent(key for key in WHOLE if key != lost.format(grant))
    assert extent.of(lost.format(grant)) is NOT_COVERED
    assert extent.lone_heads() == [(kept.format(grant), lost.format(grant))]
    assert extent.ends_early([lost.format(grant)]) is None, (
        "it is one row, not the end of the listing"
    )
    both = StorageExtent(key for key in WHOLE if key not in (lost.format("C"), kept.format("C")))
    assert {both.of(lost.format("C")), both.of(kept.format("C"))} == {ABSENT}
    assert both.lone_heads() == []


def keys(count: int) -> list[str]:
    return sorted(objects(line(count)))


@pytest.mark.parametrize("cut", [1, 7, 12, 20, 23])
def test_where_a_listing_of_the_bucket_ended(cut: int) -> None:
    every: list[Any] = keys(12)
    extent = BucketExtent(every[:cut], every)
    if cut == 12:
        assert (extent.cuts(), extent.unexported()) == ([], ["audit/immutable/stream/"]), (
            "one folder, or an end between the two"
        )
    else:
        [found] = extent.cuts()
        assert (found.scope, found.kind, found.key, found.absent) == (
            "the bucket",
            "ends at",
            every[cut - 1],
            24 - cut,
        )
        assert every[cut - 1] in str(found)
    assert not any(map(extent.covers, every[cut:]))
    assert all(map(extent.covers, every[:cut]))


def test_a_listing_that_begins_late() -> None:
    every = keys(12)
    [found] = BucketExtent(every[5:], every).cuts()
    assert (found.kind, found.key, found.absent) == ("begins at", every[5], 5)


def test_each_folder_was_listed_and_one_stopped() -> None:
    every = keys(12)
    extent = BucketExtent([*every[:8], *every[12:]], every)
    assert [(cut.scope, cut.key, cut.absent) for cut in extent.cuts()] == [
        ("audit/immutable/entry/", every[7], 4)
    ]
    assert extent.cuts(every[8:12]) == [], "something else accounts for them"
    assert (extent.is_whole, BucketExtent(every, every).is_whole) == (False, True)


def test_a_key_that_nobody_expects_tells_nothing_by_coming_last() -> None:
    every = keys(12)
    assert BucketExtent(every[:-1], every[:-1]).covers(every[-1])
    assert not BucketExtent(every[:-2], every[:-1]).covers(every[-1])


def test_a_page_that_was_lost_on_the_way() -> None:
    every = keys(12)
    gone = every[4:8]
    extent = BucketExtent(set(every) - set(gone), every)
    assert extent.cuts() == []
    lost = extent.lost_page(gone)
    assert lost is not None
    assert (lost.key, lost.absent) == (every[3], 4)
    assert extent.lost_page(gone[:2]) is None, "two by chance"
    assert extent.lost_page([*gone, every[9]]) is None, "another one is gone elsewhere"
    assert extent.lost_page(every[14:18]) is None, (
        "of one stream and one time: what somebody would take out"
    )
