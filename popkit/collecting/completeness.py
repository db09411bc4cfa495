"""How complete a collection is, address by address: never assumed, always because of something.

An address is *complete* when its list was asked to the end, every listed transaction was given, and
no check is violated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from popkit.collecting.listing import Listing, Row
from popkit.collecting.state import AccountsSeen
from popkit.facts import Facts
from popkit.protocol.pda import pop_config_address
from popkit.wording import counted

HOLDS, VIOLATED, CANNOT_TELL = "holds", "violated", "cannot tell"


@dataclass(frozen=True, slots=True)
class Check:
    """One reason to believe that an address is complete, or not: `outcome` is one of three words;
    `detail` says what was seen.
    """

    name: str
    outcome: str
    detail: str


@dataclass(slots=True)
class Statement:
    """What is said of one address; `role` is grant, pop-config or program."""

    address: str
    role: str
    rows: int
    checks: list[Check] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Listed to the end and all given, and nothing speaks against it."""
        must = [
            check.outcome
            for check in self.checks
            if check.name in ("listed_to_the_end", "transactions_given")
        ]
        return must == [HOLDS, HOLDS] and not any(
            check.outcome == VIOLATED for check in self.checks
        )

    @property
    def because(self) -> list[str]:
        """Why it is not complete; empty when it is."""
        must = ("listed_to_the_end", "transactions_given")
        return [
            f"{c.name}: {c.detail}"
            for c in self.checks
            if c.outcome == VIOLATED or (c.name in must and c.outcome != HOLDS)
        ]

    def as_json(self) -> dict[str, Any]:
        checks = [{"check": c.name, "outcome": c.outcome, "detail": c.detail} for c in self.checks]
        return {
            "address": self.address,
            "role": self.role,
            "signatures": self.rows,
            "complete": self.complete,
            "because": self.because,
            "checks": checks,
        }


@dataclass(slots=True)
class Seen:
    """What the collectors saw beside the rows: lists by address, the second endpoint's, receipts by
    grant, what was not given.
    """

    lists: dict[str, list[Listing]] = field(default_factory=dict)
    second: dict[str, Listing] = field(default_factory=dict)
    second_alone: dict[str, list[Row]] = field(default_factory=dict)
    receipts: dict[str, AccountsSeen] = field(default_factory=dict)
    core: AccountsSeen = field(default_factory=AccountsSeen)
    not_given: set[str] = field(default_factory=set)
    reasons: dict[str, str] = field(default_factory=dict)
    """What the node said last of each transaction that it did not give."""
    behind: str = ""
    first_block: int | None = None
    """The oldest slot that the node says it still has; None where it did not say."""

    def pruned(self, slots: Iterable[int]) -> str:
        """How many slots are older than the node's history, in words; "" for none."""
        count = (
            sum(slot < self.first_block for slot in slots) if self.first_block is not None else 0
        )
        return (
            f"; {count} pruned: the node's history begins with slot {self.first_block}"
            if count
            else ""
        )

    def why_not_given(self, signatures: Iterable[str]) -> str:
        """The reasons for transactions that were not given, in words, the commonest first."""
        counts = Counter(
            self.reasons.get(signature, "no answer was kept") for signature in signatures
        )
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return "the node said: " + "; ".join(
            f"{why} ({count})" if len(counts) > 1 else why for why, count in ordered[:3]
        )

    def rows(self, address: str) -> dict[str, int]:
        """Slots by signature of everything that was listed for an address."""
        first = {
            row.signature: row.slot
            for listing in self.lists.get(address, [])
            for row in listing.rows
        }
        return first | {row.signature: row.slot for row in self.second_alone.get(address, [])}


def state(facts: Facts, seen: Seen) -> list[Statement]:
    """One statement an address that was listed: grants first, then pop-configs, then the program."""
    program = facts.header.program_id
    configs = {
        a: g for g in facts.header.grants if (a := facts.history.authority_of(g)) is not None
    }
    config_addresses = {pop_config_address(authority, program): authority for authority in configs}
    found = []
    for address in sorted(seen.lists, key=lambda a: (a == program, a in config_addresses, a)):
        role = (
            "program"
            if address == program
            else "pop-config"
            if address in config_addresses
            else "grant"
        )
        statement = Statement(address, role, len(seen.rows(address)))
        statement.checks += _listing_checks(address, seen)
        if role == "grant":
            statement.checks += _grant_checks(address, facts, seen)
        elif role == "pop-config":
            statement.checks.append(
                _oldest_is_upsert(address, config_addresses[address], facts, seen)
            )
        statement.checks.append(_lists_agree(address, role, facts, seen))
        statement.checks.append(_not_behind(seen))
        found.append(statement)
    _spread_doubt(found, seen)
    return found


def _spread_doubt(statements: list[Statement], seen: Seen) -> None:
    """A node that left rows out of one list may have left them out of every list: the others'
    completeness is not believed either.
    """
    shown = ("receipts_match", "links_close", "lists_agree")
    for statement in statements:
        if statement.role != "grant" or not seen.not_given.isdisjoint(seen.rows(statement.address)):
            continue
        if any(check.name in shown and check.outcome == VIOLATED for check in statement.checks):
            for other in statements:
                if other.complete:
                    doubt = f"the same node left rows out of the list of {statement.address}"
                    other.checks.append(Check("node_lists_whole", VIOLATED, doubt))
            return


def _listing_checks(address: str, seen: Seen) -> Iterator[Check]:
    lists, rows = seen.lists[address], seen.rows(address)
    stopped = [
        listing.why or "the list was not asked to its end" for listing in lists if not listing.ended
    ]
    pages = sum(listing.pages for listing in lists)
    if stopped:
        yield Check("listed_to_the_end", VIOLATED, stopped[0])
    else:
        yield Check(
            "listed_to_the_end",
            HOLDS,
            f"{counted(len(rows), 'signature')} on {counted(pages, 'page')}; the last gave nothing "
            f"older",
        )
    if all(listing.overlaps for listing in lists):
        yield Check("pages_overlap", HOLDS, "each page reached back to the one before it")
    else:
        yield Check(
            "pages_overlap",
            VIOLATED,
            "a page did not reach back to the one before it: rows may lie between",
        )
    if all(listing.ordered for listing in lists):
        yield Check("newest_first", HOLDS, "slots never rise along the list")
    else:
        yield Check(
            "newest_first",
            VIOLATED,
            "slots rise along the list; paging by position may have missed rows",
        )
    without = sorted(seen.not_given & rows.keys())
    if without:
        pruned = seen.pruned(rows[signature] for signature in without)
        detail = f"{counted(len(without), 'listed transaction')} not given, {without[0]} among them{pruned}; {seen.why_not_given(without)}"
        yield Check("transactions_given", VIOLATED, detail)
    else:
        yield Check("transactions_given", HOLDS, "every listed transaction was given")
    yield from _second_checks(address, seen)


def _second_checks(address: str, seen: Seen) -> Iterator[Check]:
    """The second endpoint's list, as far as both can know it.

    A second opinion counts only for what the second node can know: one that lists nothing, that
    lacks the newest rows (it is behind) or the oldest (its history is pruned) confirms nothing of
    them. Rows newer than the first one's end are not held against either.
    """
    name, second = "second_endpoint_agrees", seen.second.get(address)
    if second is None:
        yield Check(name, CANNOT_TELL, "no second endpoint was asked")
        return
    if not second.ended:
        yield Check(name, CANNOT_TELL, f"the second endpoint's list has no end: {second.why}")
        return
    first = {row.signature: row.slot for listing in seen.lists[address] for row in listing.rows}
    if not second.rows:
        what = (
            f"it lists nothing, where the first lists {counted(len(first), 'signature')}"
            if first
            else "neither lists anything"
        )
        yield Check(name, CANNOT_TELL, f"no second opinion: {what}")
        return
    newest = max(
        first.values(), default=0
    )  # what landed after the first list was read cannot be in it
    theirs = {row.signature for row in second.rows if row.slot <= newest}
    only_ours, only_theirs = sorted(first.keys() - theirs), sorted(theirs - first.keys())
    if not only_ours and not only_theirs:
        yield Check(name, HOLDS, f"both list the same {counted(len(first), 'signature')}")
        return
    if not seen.not_given.isdisjoint(only_theirs):
        lists = f"the first alone lists {len(only_ours)}, the second alone {len(only_theirs)}"
        yield Check(name, VIOLATED, f"{lists}, and not all of that was given")
        return
    yield Check(
        name,
        CANNOT_TELL,
        _second_lacks(first, {row.slot for row in second.rows}, only_ours, only_theirs),
    )


def _second_lacks(
    first: dict[str, int], slots: set[int], only_ours: list[str], only_theirs: list[str]
) -> str:
    """In words, what the second list lacks of the first: its end, its beginning, or rows between.
    What it alone has is in the case.
    """
    newer = sum(first[signature] > max(slots) for signature in only_ours)
    older = sum(first[signature] < min(slots) for signature in only_ours)
    between = len(only_ours) - newer - older
    said = [
        f"{len(first) - len(only_ours)} of {counted(len(first), 'signature')} are in both lists"
    ]
    if newer:
        said.append(f"the second lacks the newest {newer}: it ends at slot {max(slots)}")
    if older:
        said.append(f"the second lacks the oldest {older}: it begins with slot {min(slots)}")
    if between:
        said.append(f"the first alone lists {between} between")
    if only_theirs:
        said.append(
            f"the second alone lists {len(only_theirs)}; the case holds both, and neither list is "
            f"proved whole"
        )
    return "; ".join(said)


def _grant_checks(grant: str, facts: Facts, seen: Seen) -> Iterator[Check]:
    yield _oldest_is_creation(grant, facts, seen)
    yield _receipts_match(grant, facts, seen)
    chain = facts.chain(grant)
    unseen = chain.unseen
    if unseen:
        yield Check(
            "links_close",
            VIOLATED,
            f"{counted(len(unseen), 'accepted claim')} named by the chain not seen, "
            f"{unseen[0][:16]} among them",
        )
    elif not chain.state.known:
        yield Check(
            "links_close",
            CANNOT_TELL,
            "PopState was not given: a newest claim that was left out would not show",
        )
    elif chain.state_is_stale:
        yield Check("links_close", CANNOT_TELL, "PopState was read before the newest claim landed")
    else:
        yield Check(
            "links_close", HOLDS, "every parent has its claim, and PopState's head is among them"
        )


def _oldest_is_creation(grant: str, facts: Facts, seen: Seen) -> Check:
    rows = seen.rows(grant)
    created = facts.history.created_slot(grant)
    if not rows:
        account = facts.accounts.get(grant)
        if account is not None and account.exists:
            return Check(
                "oldest_is_creation",
                VIOLATED,
                "the account exists, and no transaction of it was listed",
            )
        return Check("oldest_is_creation", CANNOT_TELL, "nothing was listed")
    oldest = min(rows.values())
    if created is None:
        return Check(
            "oldest_is_creation",
            VIOLATED,
            f"the list begins in slot {oldest} without the grant's creation: what came before is "
            f"not there{seen.pruned([oldest - 1])}",
        )
    if created > oldest and not any(
        step.slot == oldest for step in facts.history.of_grant(grant) if step.name == "create_grant"
    ):
        return Check(
            "oldest_is_creation",
            HOLDS,
            f"created in slot {created}; the list reaches back to slot {oldest}, before it",
        )
    return Check(
        "oldest_is_creation", HOLDS, f"the list begins with the grant's creation in slot {created}"
    )


def _oldest_is_upsert(address: str, authority: str, facts: Facts, seen: Seen) -> Check:
    upserts = facts.history.upserts(authority)
    if upserts:
        return Check(
            "oldest_is_creation", HOLDS, f"the list holds the first upsert, in slot {upserts[0][0]}"
        )
    account = facts.accounts.get(address)
    if account is not None and not account.exists:
        return Check("oldest_is_creation", HOLDS, "pop-config was never made")
    return Check(
        "oldest_is_creation", VIOLATED, "the list does not hold the upsert that made pop-config"
    )


def _receipts_match(grant: str, facts: Facts, seen: Seen) -> Check:
    """Receipts on chain against accepted claims: a receipt without its claim is a transaction that
    was left out.
    """
    given = seen.receipts.get(grant)
    if given is None or given.why:
        return Check(
            "receipts_match",
            CANNOT_TELL,
            given.why if given is not None else "the receipts were not asked for",
        )
    receipts = {address for address, account in given.accounts.items() if account is not None}
    newest = max(given.slots, default=None)
    claimed = {a.receipt: a.slot for a in facts.chain(grant).accepted}
    without = sorted(receipts - claimed.keys())
    if without:
        return Check(
            "receipts_match",
            VIOLATED,
            f"{counted(len(without), 'receipt')} on chain without a claim that was seen, "
            f"{without[0]} among them",
        )
    beyond = sorted(
        address
        for address in claimed.keys() - receipts
        if newest is None or claimed[address] <= newest
    )
    if beyond:
        return Check(
            "receipts_match",
            VIOLATED,
            f"{counted(len(beyond), 'accepted claim')} whose receipt the node does not list, "
            f"{beyond[0]} among them",
        )
    return Check(
        "receipts_match",
        HOLDS,
        f"{counted(len(receipts), 'receipt')} on chain, each with its claim",
    )


def _lists_agree(address: str, role: str, facts: Facts, seen: Seen) -> Check:
    """Transactions that other lists brought and that name this address must be in its own list."""
    claims, rows = facts.claims, seen.rows(address)
    column = {"grant": "grant", "pop-config": "pop_config"}.get(role)
    named = {
        claims.signature[row]
        for row in range(len(claims))
        if column is None or claims.key_text[column][row] == address
    }
    named |= {
        step.signature
        for step in facts.history.steps
        if column is None or step.accounts.get(column) == address
    }
    without = sorted(named - rows.keys())
    if without:
        detail = f"{counted(len(without), 'transaction')} name it and are not in its list, {without[0]} among them"
        return Check("lists_agree", VIOLATED, detail)
    return Check(
        "lists_agree",
        HOLDS,
        f"{counted(len(named), 'transaction')} name it, and all are in its list",
    )


def _not_behind(seen: Seen) -> Check:
    return (
        Check("node_is_current", VIOLATED, seen.behind)
        if seen.behind
        else Check("node_is_current", HOLDS, "the node kept up with its own clock")
    )
