"""The verdict of a line made by hand: every branch of the judge by the few facts that it asks for, word for word."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from popkit.diagnosis.judge import Judge, Judgement
from popkit.diagnosis.proofs import Proof
from popkit.protocol.message import GENESIS_HASH
from tests.addresses import receipt_address
from tests.diagnosis.admin_steps import GRANT, WORLD
from tests.diagnosis.small_chains import REFUSED, claim, refusal

ANN, BOB = WORLD.address("ann"), WORLD.address("bob")
NOW = 1771830000
HEAD, STREAM = "head of the chain", "stream head of the chain"
YOUNG, OLD = NOW - 600, NOW - 601


def proof(entry: str, parent: str = HEAD, stream: str | None = None, issued_at: int = YOUNG, **fields: Any) -> Proof:
    """A proof of ann's, by default on the chain's head by both links."""
    link = (STREAM if parent == HEAD else parent) if stream is None else stream
    return Proof(entry, parent, link, ANN, 0, issued_at, "audit", **fields)


def judged(
    head: str | None = "the worker's head",
    path: tuple[Proof, ...] = (),
    era: str = "strict",
    state: dict[str, Any] | None = None,
    chain: dict[str, Any] | None = None,
    records: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    **line: Any,
) -> Judgement:
    """The judgement of a worker's line beside a chain; what is not told is sound, known and at rest."""
    kept = {"doubtful": [], "damaged": set(), "sources": {}, "is_known": True, "covers": lambda second: True} | (records or {})
    seen = SimpleNamespace(**({"known": True, "unreadable": False, "slot": 50} | (state or {})))
    told = {"grant": GRANT, "head": HEAD, "stream_head": STREAM, "accepted": [claim("done")], "attributed": [], "refused": [], "forged": []}
    told |= {"state": seen, "state_is_stale": False, "state_disagrees": False, "unseen": [], "misordered": [], "doubled": []}
    told |= {"accepted_entries": {"an older claim": claim("an older claim")}} | (chain or {})
    fields = {"chain": SimpleNamespace(**told), "head": head, "path": list(path), "root": path[0].prev_hash if path else head}
    fields |= {"records": SimpleNamespace(**kept), "proofs": {p.entry_hash: p for p in path}, "unknown_parents": {}}
    fields |= {"is_ambiguous": False, "is_stale": False, "stored_heads_differ": False, "storage_is_behind": False}
    fields |= {"storage_is_older": False, "head_source": "anchors", "follows_chain": False, "reaches": lambda entry: entry == HEAD}
    fields |= {"anchors": ["anchor"], "history": []}
    made = SimpleNamespace(**(fields | line))
    evidence = SimpleNamespace(signatures={}, transactions=SimpleNamespace(signature=[]), answers={}, storage=None)
    given = {"now": NOW, "era_now": era, "line": lambda grant: made, "accounts": {}, "reported": [], "evidence": evidence}
    given |= {"receipt_exists": lambda grant, wallet, period: None, "event_links": [], "history": SimpleNamespace(created_slot=lambda g: 1)}
    given |= {"claims": SimpleNamespace(transactions=SimpleNamespace(signature=[])), "audit": SimpleNamespace(ordered=[], entries={})}
    return Judge(SimpleNamespace(**(given | (facts or {})))).judge(GRANT)  # type: ignore[arg-type]


def says(found: Judgement, verdict: str, because: str, *missing: str) -> None:
    assert (found.verdict, found.because, found.missing_evidence) == (verdict, because, list(missing))


UNCERTAIN: dict[str, Any] = {"known": False}
"""No PopState; the node's list names what was not given."""
MISSING = {"evidence": SimpleNamespace(signatures=None, transactions=None, answers={}, storage=None)}

# -- the head of the worker and of the chain --


def test_two_heads_that_are_one() -> None:
    says(judged(HEAD), "intact", "every accepted claim follows an accepted one, and the worker's head is the chain's")
    differ = "the worker's two stored heads differ: its next proof cannot hold both links"
    says(judged(HEAD, stored_heads_differ=True), "broken", differ)
    says(judged(stored_heads_differ=True), "broken", differ)
    assert judged(stored_heads_differ=True, is_stale=True).verdict == "inconclusive", "records that end early tell of no stored head of now"


def test_a_proof_that_follows_another_by_one_link() -> None:
    path = (proof("first proof"), proof("second proof", "first proof", "another"))
    says(judged(path=path), "broken", "the proof second p follows first pr by one link and not by the other")
    whole = (proof("first proof"), proof("second proof", "first proof"))
    assert judged(path=whole).verdict == "in_flight"
    assert judged(path=(*whole, proof("third proof", "second proof", "another"))).verdict == "broken"
    assert judged(path=path, is_stale=True).verdict == "in_flight"


def test_a_line_whose_it_is_is_not_known() -> None:
    text = "a refused claim and a younger accepted one stand on different lines; whose they are only the worker's records tell"
    says(judged(is_ambiguous=True), "inconclusive", text, "the worker's audit records or storage")


def test_rules_that_wait_for_no_parent_are_not_asked_for_a_line() -> None:
    sound = "every accepted claim follows an accepted one, and the worker's head is the chain's"
    relaxed = f"{sound}; under the relaxed rules the worker takes its parent from the chain"
    says(judged(era="relaxed"), "intact", relaxed)
    says(judged(follows_chain=True), "intact", sound)


# -- proofs on the chain's head --


def test_proofs_on_their_way() -> None:
    path = (proof("one", issued_at=NOW - 10), proof("two", "one", issued_at=NOW - 20))
    found = judged(path=path)
    says(found, "in_flight", "2 issued proofs on the chain's head can still land")
    assert found.heals_until == NOW - 20 + 600
    says(judged(path=path[:1]), "in_flight", "1 issued proof on the chain's head can still land")


def test_a_proof_that_can_land_no_more() -> None:
    lost = (proof("first proof"), proof("second proof", "first proof", issued_at=OLD))
    text = "the worker's head is 2 proofs ahead of the chain's; second p was never accepted and can land no more"
    found = judged(path=lost)
    says(found, "broken", text)
    assert found.heals_until is None
    assert judged(path=(proof("landed", landed=True),)).verdict == "broken"
    held = {"receipt_exists": lambda grant, wallet, period: wallet == ANN and grant == GRANT and period == 0}
    assert judged(path=(proof("one"),), facts=held).verdict == "broken", "the period is claimed"
    claimed = {"accepted": [claim("theirs", claimer=ANN, period_index=0)]}
    assert judged(path=(proof("one"),), chain=claimed).verdict == "broken"


def test_a_lost_proof_where_the_chain_s_head_is_not_certain() -> None:
    text = "proofs stand on the last claim seen, but whether they landed is not known: no PopState, and transactions are missing"
    lost = proof("one", issued_at=OLD)
    says(judged(path=(lost,), state=UNCERTAIN, facts=MISSING), "inconclusive", text, "the PopState account of the grant")
    assert judged(path=(lost,), chain={"state_is_stale": True}, facts=MISSING).verdict == "inconclusive"
    assert judged(path=(lost,), state=UNCERTAIN).verdict == "broken", "the list was given whole"


@pytest.mark.parametrize(
    ("moment", "fields", "proves"),
    [
        (OLD + 601, {}, True),
        (OLD + 600, {}, False),
        (None, {}, False),
        (OLD + 601, {"own_failure": False}, False),
        (OLD + 601, {"failure": None}, False),
    ],
)
def test_a_refusal_by_a_chain_rule_shows_when_the_first_had_not_landed(moment: int | None, fields: dict[str, Any], proves: bool) -> None:
    told = {"failure": REFUSED, "own_failure": True, "block_time": moment} | fields
    path = (proof("one", issued_at=OLD), proof("two", "one", issued_at=OLD, refused=[refusal("two", "one", 60, **told)]))
    assert judged(path=path, state=UNCERTAIN, facts=MISSING).verdict == ("broken" if proves else "inconclusive")


ADDRESS = receipt_address(GRANT, ANN, 0)


@pytest.mark.parametrize(
    ("read", "state", "younger"),
    [(51, 50, True), (50, 50, False), (49, 50, False), (None, 50, False), (51, None, False)],
)
def test_a_receipt_that_was_read_after_pop_state(read: int | None, state: int | None, younger: bool) -> None:
    facts = {
        "accounts": {ADDRESS: SimpleNamespace(slot=read), "another": SimpleNamespace(slot=99)},
        "receipt_exists": lambda grant, wallet, period: (grant, wallet, period) == (GRANT, ANN, 0),
    }
    found = judged(path=(proof("one"),), state={"slot": state}, facts=facts)
    if not younger:
        assert found.verdict == "broken"
        return
    text = "a receipt that was read after PopState may be that of a proof on the way"
    says(found, "inconclusive", text, "PopState and the receipts of one moment")
    accounted = {"accepted": [claim("theirs", claimer=ANN, period_index=0)]}
    assert judged(path=(proof("one"),), chain=accounted, facts=facts).verdict == "broken", "an accepted claim accounts for it"
    gone = {**facts, "receipt_exists": lambda grant, wallet, period: False}
    assert judged(path=(proof("one", issued_at=OLD),), facts=gone).verdict == "broken", "it does not exist"


def test_a_receipt_that_tells_of_a_landed_proof_where_pop_state_is_not_known() -> None:
    held = {"receipt_exists": lambda grant, wallet, period: (grant, wallet, period) == (GRANT, ANN, 0)}
    text = "a receipt or a record tells of a landed proof whose transaction is not in the evidence"
    says(judged(path=(proof("one"),), state=UNCERTAIN, facts=held), "inconclusive", text, "the PopState account of the grant")
    accounted = {"accepted": [claim("theirs", claimer=ANN, period_index=0)]}
    assert judged(path=(proof("one"),), state=UNCERTAIN, chain=accounted, facts=held).verdict == "broken"
    assert judged(path=(proof("one"),), facts=held).verdict == "broken", "PopState says where the head is"


# -- a head behind the chain's --


def test_a_head_behind_the_chain_s() -> None:
    text = f"the worker's head is an older, the chain's head is {HEAD[:8]}: the next proof will be refused"
    says(judged("an older claim", proofs={}), "broken", text)
    zeros = f"the worker's head is GENESIS, the chain's head is {HEAD[:8]}: the next proof will be refused"
    says(judged(GENESIS_HASH, proofs={}), "broken", zeros)
    assert judged("unseen", chain={"unseen": ["unseen"]}, proofs={}).verdict == "broken"


ENDED, UP_TO = "the worker's records end before the chain does", "the worker's records up to the time of the chain's evidence"


def test_records_that_end_before_the_chain_does() -> None:
    says(judged("an older claim", is_stale=True), "inconclusive", ENDED, UP_TO)
    elsewhere = (proof("one", "an older claim"),)
    says(judged(path=elsewhere, is_stale=True), "inconclusive", ENDED, UP_TO)


@pytest.mark.parametrize(
    ("source", "fields", "tells"),
    [
        ("anchors", {}, False),
        ("anchors", {"issuer": "this_worker"}, False),
        ("anchors", {"issuer": "foreign"}, True),
        ("anchors", {"anchor": "anchor"}, True),
        ("storage", {}, True),
    ],
)
def test_records_without_the_anchor_of_the_chain_s_head(source: str, fields: dict[str, Any], tells: bool) -> None:
    found = judged("an older claim", head_source=source, proofs={HEAD: proof(HEAD, **fields)})
    if tells:
        assert found.verdict == "broken"
        return
    text = "the worker's records do not hold the anchor of the chain's head, so that they do not tell where its own went"
    says(found, "inconclusive", text, "the worker's storage, or its audit records without a gap")


def test_a_head_that_nothing_else_names() -> None:
    text = "the worker's head is an entry that nothing else in the evidence names"
    says(judged("nobody's"), "inconclusive", text, "the worker's audit records")
    uncertain = judged("nobody's", head_source="storage", state=UNCERTAIN, facts=MISSING)
    says(uncertain, "inconclusive", text, "the worker's audit records")
    asked = []
    stored = judged("nobody's", head_source="storage", records={"covers": lambda second: bool(asked.append(second))})
    unknown = "the worker's stored head is a proof of unknown age that may still land"
    says(stored, "inconclusive", unknown, "the worker's audit records or history")
    assert asked == [NOW - 600]
    assert judged("nobody's", head_source="storage").verdict == "broken"


# -- a line that stands elsewhere --


@pytest.mark.parametrize(
    ("root", "chain", "what"),
    [
        ("an older claim", {}, "the claim an older"),
        (GENESIS_HASH, {}, "GENESIS"),
        ("unseen claim", {"unseen": ["unseen claim"]}, "the claim unseen c"),
    ],
)
def test_a_line_on_known_ground(root: str, chain: dict[str, Any], what: str) -> None:
    text = f"the worker's line stands on {what}, which is not the chain's head {HEAD[:8]}, and never will be again"
    says(judged(path=(proof("one", root),), chain=chain), "broken", text)


def test_a_line_on_a_proof_that_landed_or_on_the_head_by_one_link() -> None:
    path = (proof("one", "landed proof"),)
    text = f"the worker's line stands on the claim landed p, which is not the chain's head {HEAD[:8]}, and never will be again"
    says(judged(path=path, proofs={"landed proof": proof("landed proof", landed=True)}), "broken", text)
    one_link = (proof("one", HEAD, "another"),)
    says(judged(path=one_link), "broken", "the worker's next proof follows the chain's head by one link and not by the other")


def test_a_line_on_a_proof_that_nobody_knows() -> None:
    path = (proof("one", "nobody's proof"),)
    text = "proofs follow one that is not in the evidence, and whether that landed is not known: nor is the chain's head"
    parents = {"nobody's proof": OLD}
    found = judged(path=path, unknown_parents=parents, state=UNCERTAIN, facts=MISSING)
    says(found, "inconclusive", text, "the PopState account of the grant")
    lost = "the proof nobody's never landed; its oldest known child was issued 601 s before the evidence was taken, so it can land no more"
    says(judged(path=path, unknown_parents=parents), "broken", lost)
    later = {"a proof": YOUNG, "z proof": OLD, "b proof": OLD}
    assert judged(path=path, unknown_parents=later).because.startswith("the proof b proof never landed"), "the one with the oldest child"
    young = "the proof nobody's is not in the evidence and may still land"
    wanted = "the worker's records of that proof, or evidence taken after it is 600 s old"
    says(judged(path=path, unknown_parents={"nobody's proof": YOUNG}), "inconclusive", young, wanted)


# -- reports --


def reported(at: int, **fields: Any) -> Any:
    told = {"grant": GRANT, "error": "PopHashChainBroken", "failure": SimpleNamespace(layer="program")}
    return SimpleNamespace(**(told | fields), report=SimpleNamespace(at=at))


def test_what_wallets_report_where_the_worker_s_head_is_not_known() -> None:
    none = {"records": {"is_known": False}, "reaches": lambda entry: False}
    old, young = {"reported": [reported(OLD)]}, {"reported": [reported(YOUNG)]}
    found = judged(None, facts=old, **none)
    assert found.verdict == "broken"
    assert found.because.startswith("wallets were refused with PopHashChainBroken from 2026-02-23 06:49:59 UTC on, nothing was accepted")
    assert [r.report.at for r in found.reports] == [OLD]
    assert judged(None, facts=young, **none).verdict == "inconclusive"
    for other in (reported(OLD, grant="other"), reported(OLD, error="Paused"), reported(OLD, failure=SimpleNamespace(layer="system"))):
        assert judged(None, facts={"reported": [other]}, **none).verdict == "inconclusive"
    for moment, verdict in ((OLD - 1, "broken"), (OLD, "inconclusive"), (None, "broken")):
        chain = {"accepted": [claim("done", block_time=moment)]}
        assert judged(None, facts=old, chain=chain, **none).verdict == verdict, "nothing landed since"
    assert judged(None, facts={**old, **MISSING}, state=UNCERTAIN, **none).verdict == "inconclusive"


# -- what a sound chain needs of the worker's records --


def need(**line: Any) -> str:
    """What is missing to call a sound chain sound."""
    found = judged(HEAD, **line)
    assert found.verdict == "inconclusive"
    [missing] = found.missing_evidence
    assert found.because == f"sound on chain up to {HEAD[:8]}, but {missing}"
    return missing


BEHIND = "the storage export ends before the worker's list begins: what was issued between the two is not in the evidence"
OLDER = "the storage export ends before the bucket's: whether the storage was put back since, only a younger export tells"
DAMAGED = "lines of the worker's records could not be read, and the newest may be among them"
FOREIGN = "the chain's head is another issuer's claim, and where the worker's own head stands is not in the evidence"


def test_a_storage_that_ends_early() -> None:
    assert need(storage_is_behind=True, head_source="storage") == BEHIND
    assert judged(HEAD, storage_is_behind=True, head_source="anchors").verdict == "intact", "the anchors tell the head"
    assert need(storage_is_older=True) == OLDER
    assert judged(HEAD, storage_is_older=True, records={"sources": {"list": 1}}).verdict == "intact", "the list reaches to now"


def test_records_that_could_not_be_read_whole() -> None:
    assert need(records={"damaged": {"storage"}}) == DAMAGED
    assert need(records={"damaged": {"list"}, "sources": {"list": 1}}) == DAMAGED
    assert judged(HEAD, records={"damaged": {"storage"}, "sources": {"list": 1}}).verdict == "intact"


def test_a_foreign_head_beside_a_worker_s_that_is_not_known() -> None:
    foreign = {HEAD: proof(HEAD, issuer="foreign")}
    found = judged(None, proofs=foreign)
    says(found, "inconclusive", f"sound on chain up to {HEAD[:8]}, but {FOREIGN}", FOREIGN)
    assert judged(HEAD, proofs=foreign).verdict == "intact"
    assert judged(None, proofs={HEAD: proof(HEAD, issuer="this_worker")}).verdict == "intact"
    assert judged(None, proofs={}).verdict == "intact"
    assert judged(None, proofs=foreign, era="relaxed").verdict == "intact", "no parent is waited for"


def test_records_that_do_not_reach_the_head() -> None:
    unread = {"reaches": lambda entry: False}
    none = "the worker's records are not in the case: a proof that was issued and never sent would not show on chain"
    assert need(records={"is_known": False}, **unread) == none
    assert need(**unread) == "the worker's records do not reach back to the anchor of the chain's head without a gap"
    text = "the worker's records do not reach back to the grant's creation without a gap"
    unused = judged(GENESIS_HASH, chain={"head": GENESIS_HASH, "accepted": []}, anchors=[], **unread)
    says(unused, "inconclusive", f"nothing was claimed, but {text}", text)


def test_what_a_sound_chain_is_called() -> None:
    empty: dict[str, Any] = {"accepted": []}
    says(judged(HEAD, chain=empty, anchors=[]), "unused", "nobody has claimed from the grant and nobody holds a proof for it")
    assert judged(HEAD, chain=empty).verdict == "intact", "somebody holds a proof"
    assert judged(HEAD, chain=empty, anchors=[], history=["record"]).verdict == "intact"
    refused = {"accepted": [], "attributed": [refusal("x", "y", 9, failure=REFUSED, own_failure=True)]}
    recovered = "claims were refused by a chain rule and the chain went on past them"
    says(judged(HEAD, chain=refused, anchors=[]), "recovered", recovered)
    assert judged(HEAD, chain={"attributed": [refusal("x", "y", 9)]}).verdict == "intact"


# -- the chain's own evidence --


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"state": {"unreadable": True}}, "the PopState account cannot be read as one"),
        (
            {"chain": {"unseen": ["first unseen", "other unseen"]}},
            "the chain names accepted claims that are not in the evidence: first un, other un",
        ),
        ({"chain": {"state_disagrees": True}}, "PopState and the accepted claims name different heads"),
        ({"chain": {"misordered": [1]}}, "accepted claims contradict each other: their order, or two of one claimer and period"),
        ({"chain": {"doubled": [1]}}, "accepted claims contradict each other: their order, or two of one claimer and period"),
        ({"chain": {"forged": [1]}}, "transactions of the grant are not signed by those they name"),
    ],
)
def test_evidence_that_does_not_add_up_decides_nothing_but_a_break(change: dict[str, Any], text: str) -> None:
    says(judged(HEAD, **change), "inconclusive", text, text)
    in_flight = judged(path=(proof("one"),), **change)
    says(in_flight, "inconclusive", text, text)
    assert in_flight.heals_until is None, "a time to heal is told of a grant in flight alone"
    assert judged(path=(proof("one", issued_at=OLD),), **change).verdict == "broken"


def test_nothing_of_a_grant_is_in_the_evidence() -> None:
    text = "nothing of the grant is in the evidence: neither accounts nor transactions"
    nothing: dict[str, Any] = {"state": UNCERTAIN, "chain": {"accepted": []}}
    uncreated = {"history": SimpleNamespace(created_slot=lambda grant: None)}
    says(judged(HEAD, facts=uncreated, **nothing), "inconclusive", text, text)
    assert judged(HEAD, **nothing).verdict == "intact"
    assert judged(HEAD, facts=uncreated, chain={"accepted": []}).verdict == "intact"
    assert judged(HEAD, facts=uncreated, state=UNCERTAIN, chain={"accepted": [], "refused": [1]}).verdict == "intact"
    assert judged(HEAD, facts=uncreated, state=UNCERTAIN).verdict == "intact"
