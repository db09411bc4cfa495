"""A plan made: from the case, what was asked for, and what both endpoints and the worker answer
now.

1. the case: is a cutover needed, which remedy
2. the cluster, the program, the old grant as they are, from two endpoints
3. the worker: the same one, its signer, its events
4. the new grant: its terms, and addresses proven unused
5. the money
6. the steps, each with what it signs and what it may change

Each part that finds something wrong raises Stopped with what to do; nothing is sent and nothing is
written anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pybase64 import b64encode

from popkit.case import Case
from popkit.cutover.clock import wall
from popkit.cutover.desk.worker import WorkerDesk
from popkit.cutover.plan import (
    Break,
    Limits,
    Marker,
    NewGrant,
    OfCase,
    OldGrant,
    Plan,
    Program,
    Remedy,
    Roles,
    Terms,
    WorkerSeen,
)
from popkit.cutover.planning import announcing, deployed, linking, others, survey
from popkit.cutover.planning.deciding import (
    Gate,
    given_up_for,
    new_grant_id,
    remedy_of,
    signer_of,
    start_of,
    terms_of,
)
from popkit.cutover.planning.linking import Wanted
from popkit.cutover.planning.owed import amount_of, people_of
from popkit.cutover.planning.paying import money_of, refuse_poor, refuse_poor_payers
from popkit.cutover.planning.stepping import Parts, place_beside, steps_of
from popkit.cutover.planning.survey import Pair
from popkit.cutover.reasons import stop
from popkit.cutover.sending.calls import GrantPlace, marker_address, marker_seed
from popkit.cutover.sending.endpoint import Held
from popkit.diagnosis.result import Diagnosis, GrantDiagnosis
from popkit.errors import UsageError
from popkit.evidence.grants import UnknownGrant, grant_named
from popkit.evidence.layout import MANIFEST
from popkit.protocol.accounts import Grant, decode_grant, decode_pop_config, decode_pop_state
from popkit.protocol.keys import is_pubkey
from popkit.texts import Text

if TYPE_CHECKING:
    from popkit.cutover.signing.keys import Signer as Key


NO_KEY = Text("--{option} {value}: is no public key", "--{option} {value}: 公開鍵ではありません")
OUT_OF_RANGE = Text(
    "--{option} {value}: expected a whole number from {least} to 2^63 - 1",
    "--{option} {value}: {least} から 2^63 - 1 までの整数を指定してください",
)
BIGGEST = 1 << 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a plan is asked for. Keys are by role; without an authority's key the plan is for a
    multisig, or for others to carry out.

    `amount` is in base units, `start` in unix seconds, `given_up` are new grants that were
    abandoned before. `wanted` is what of the new event is to be otherwise than the old one's.
    """

    case: Case
    grant: str
    pair: Pair | None = None
    desk: WorkerDesk | None = None
    authority_key: Key | None = None
    funder_key: Key | None = None
    amount: int | None = None
    wanted: Wanted = field(default_factory=Wanted)
    start: int | None = None
    expires: int | None = None
    signer: str | None = None
    reason: str | None = None
    fee_cap: int = Limits().fee_cap_lamports
    close_old: bool = False
    given_up: tuple[str, ...] = ()
    wall: float | None = None

    def now(self) -> float:
        """This machine's clock, in unix seconds; a test may set it."""
        return wall() if self.wall is None else self.wall


def make_plan(asked: Request) -> Plan:
    """Plan a cutover. Raises Stopped with the first thing that forbids it; nothing is changed
    anywhere.
    """
    return _Planner(asked).plan()


class _Planner:
    def __init__(self, asked: Request) -> None:
        _refuse_misuse(asked)
        self.asked, self.case, self.facts = asked, asked.case, asked.case.facts
        try:
            self.name = grant_named(asked.grant, self.case.grants)
        except UnknownGrant:
            raise stop("not_in_case", grant=asked.grant) from None
        self.limits = Limits(fee_cap_lamports=asked.fee_cap)
        self.gate = Gate(asked.reason)
        self.diagnosis: Diagnosis = self.case.diagnose()
        self.grant: GrantDiagnosis = self.diagnosis.grant(self.name)

    def plan(self) -> Plan:
        asked = self.asked
        remedy = remedy_of(self.facts, self.grant, self.gate, asked.signer)
        parts: dict[str, Any] = {
            "draft": asked.pair is None,
            "remedy": remedy,
            "reason": asked.reason,
            "limits": self.limits,
            "case": self._case(),
            "broken": self._broken(),
            "given_up": sorted(set(asked.given_up)),
        }
        parts |= self._draft() if asked.pair is None else self._live(asked.pair, remedy)
        return Plan(overridden=self.gate.overridden, **parts)

    # 1. the case

    def _case(self) -> OfCase:
        manifest = self.case.evidence.root / MANIFEST
        return OfCase(
            name=self.case.name,
            manifest_sha256=hashlib.sha256(manifest.read_bytes()).hexdigest()
            if manifest.is_file()
            else None,
            findings_sha256=hashlib.sha256(self.diagnosis.dumps().encode()).hexdigest(),
            collected_at=self.case.collected_at,
        )

    def _broken(self) -> Break:
        row = self.grant.as_json()
        return Break(
            because=announcing.words(self.grant.judgement.because),
            **{name: row[name] for name in Break.__struct_fields__ if name != "because"},
        )

    def _draft(self) -> dict[str, Any]:
        """What the case alone can say: nothing of it was looked at now, and nothing of it can be
        run.
        """
        account = self.facts.history.account(self.name)
        if account is None:
            raise stop("not_in_case", grant=self.name)
        terms, now = terms_of(account), self.case.collected_at
        people = people_of(self.facts, self.grant, terms, now)
        era = self.facts.era_now
        return {
            "made_at": now,
            "cluster": None,
            "program": Program(
                program_id=self.facts.header.program_id, kind="not looked at", program_data=None, slot=None, sha256=None,
                upgrade_authority=None, era=era.era, era_shown_by=era.decided_by, init=None,
            ),
            "worker": None,
            "old_grant": self._old_of_case(account),
            "new_grant": None,
            "marker": None,
            "signer": None,
            "people": people,
            "amount": amount_of(self.facts, self.name, people, terms, self.asked.amount),
            "money": None,
            "event": None,
            "other_grants": [],
            "roles": Roles(
                authority=account.authority, funder=account.authority, payer=account.authority,
                is_multisig=not survey.is_on_curve(account.authority),
            ),
            "steps": [],
            "announcement": announcing.announcement(self.grant.titles, None, None),
            "not_checked": announcing.of_draft(),
        }  # fmt: skip

    def _old_of_case(self, account: Grant) -> OldGrant:
        rows, place = self.case.evidence.accounts or {}, self._place(account)
        row, state = rows[self.name], rows.get(place.pop_state)
        vault = self.facts.vault_amount(self.name) or 0
        return self._old(
            place, account, row.slot or 0, row.data or b"", state.data if state else None, vault
        )

    def _place(self, account: Grant) -> GrantPlace:
        """Where the old grant lives, by what its account says that it was derived from."""
        return GrantPlace(
            self.facts.header.program_id, account.authority, account.mint, account.grant_id
        )

    def _old(
        self,
        place: GrantPlace,
        account: Grant,
        slot: int,
        data: bytes,
        state: bytes | None,
        vault: int,
    ) -> OldGrant:
        return OldGrant(
            address=self.name,
            vault=place.vault,
            pop_state=place.pop_state,
            authority=account.authority,
            mint=account.mint,
            grant_id=str(account.grant_id),
            terms=_terms(account),
            slot=slot,
            grant_bytes=b64encode(data).decode(),
            pop_state_bytes=b64encode(state).decode() if state is not None else None,
            head=decode_pop_state(state).last_global_hash if state is not None else None,
            vault_amount=str(vault),
        )

    # 2. the cluster and the old grant

    def _live(self, pair: Pair, remedy: Remedy) -> dict[str, Any]:
        asked, program_id = self.asked, self.facts.header.program_id
        self._refuse_stale()
        newest = max(
            (self.case.evidence.signatures or {}).values(), key=lambda row: row.slot, default=None
        )
        cluster = survey.cluster_seen(
            pair, self.case.cluster, self.limits, newest=newest, wall=asked.now()
        )
        clock = pair.first.clock()
        now = clock.block_time
        held, account = self._old_now(pair)
        place = self._place(account)
        roles = self._roles(account)
        init = survey.shows_init(pair.first, place, account)
        program = survey.program_seen(pair, program_id, self.facts.era_now, init)
        deployed.refuse_other(program, (self.case.evidence.accounts or {}).get(self.name))
        config = held[place.pop_config]
        now_named = decode_pop_config(config.data).signer_pubkey if config is not None else None
        worker, desk = self._worker(), asked.desk
        signer = signer_of(
            self.facts,
            self.grant,
            now=now_named,
            worker=worker.signer,
            typed=asked.signer,
            authority=account.authority,
        )
        terms = terms_of(account)
        people = people_of(self.facts, self.grant, terms, now)
        amount = (
            amount_of(self.facts, self.name, people, terms, asked.amount)
            if remedy == "switch"
            else None
        )
        of_authority = survey.grants_of(pair, program_id, account.authority)
        links = linking.linked_grants(desk, program_id) if desk is not None else {}
        other_grants = others.effects_of(
            self.facts, pair.first, of_authority, self.name, signer, links, self.gate, now
        )
        new = (
            self._new(pair, place, account, of_authority, links, terms, now)
            if remedy == "switch"
            else None
        )
        marker = self._marker(new, roles, init)
        event = None
        if new is not None and desk is not None:
            event = linking.event_of(
                desk, self.facts, self.grant, new, account, links, asked.wanted
            )
        old = self._old(
            place,
            account,
            held.slot,
            _data(held[self.name]),
            _state(held[place.pop_state]),
            _tokens(held[place.vault]),
        )
        parts = Parts(
            pair=pair,
            place=place,
            old=old,
            new=new,
            marker=marker,
            signer=signer,
            roles=roles,
            amount=amount,
            event=event,
            remedy=remedy,
            close_old=asked.close_old,
            can_close=worker.can_close_events,
            init=init,
            now=now,
            limits=self.limits,
        )
        if amount is not None:
            refuse_poor(parts)
        refuse_poor_payers(parts)
        steps, world, fees, not_checked = steps_of(parts)
        money = money_of(parts, world, fees) if amount is not None else None
        not_checked += deployed.not_shown(program, self.facts) + linking.not_known(worker)
        return {
            "made_at": now, "cluster": cluster, "program": program, "worker": worker, "old_grant": old, "new_grant": new,
            "marker": marker, "signer": signer, "people": people, "amount": amount, "money": money, "event": event,
            "other_grants": other_grants, "roles": roles, "steps": steps,
            "announcement": announcing.announcement(self.grant.titles, event, new), "not_checked": not_checked,
        }  # fmt: skip

    def _refuse_stale(self) -> None:
        age = self.asked.now() - self.case.collected_at
        if age > self.limits.case_seconds:
            raise stop("stale_case", age=round(age / 60), limit=self.limits.case_seconds // 60)
        if (
            -age > self.limits.clock_seconds
        ):  # a case is of the cluster's clock: it cannot be younger than now
            raise stop("clock_off", seconds=round(-age), limit=self.limits.clock_seconds)

    def _old_now(self, pair: Pair) -> tuple[Any, Grant]:
        """The old grant's accounts from both endpoints, and its terms; held against the case.
        Raises Stopped where they have moved.
        """
        program = self.facts.header.program_id
        seen = pair.first.accounts([self.name])[self.name]
        if seen is None or seen.owner != program:
            raise stop("grant_closed")
        account = decode_grant(seen.data)
        place = self._place(account)
        keys = [
            self.name,
            place.vault,
            place.pop_state,
            place.pop_config,
            account.mint,
            account.authority,
            place.tokens,
        ]
        held = survey.agreed(pair, list(dict.fromkeys(keys)))
        rows = self.case.evidence.accounts or {}
        for key in (self.name, place.pop_state):
            row, found = rows.get(key), held[key]
            if row is not None and row.data != (found.data if found is not None else None):
                raise stop(
                    "case_behind",
                    field=key,
                    was=_short(row.data),
                    now=_short(found.data if found is not None else None),
                )
        expires = account.expires_at if self.asked.expires is None else self.asked.expires
        if 0 < expires <= pair.first.clock().block_time:
            raise stop("grant_expired")
        return held, account

    def _roles(self, account: Grant) -> Roles:
        key, funder = self.asked.authority_key, self.asked.funder_key
        is_multisig = not survey.is_on_curve(account.authority)
        if is_multisig and key is not None:
            raise stop("multisig_authority", authority=account.authority)
        if key is not None and key.public_key != account.authority:
            raise stop("wrong_authority", authority=account.authority, given=key.public_key)
        return Roles(
            authority=account.authority,
            funder=funder.public_key if funder is not None else account.authority,
            payer=account.authority,
            is_multisig=is_multisig,
        )

    # 3. the worker

    def _worker(self) -> WorkerSeen:
        if self.asked.desk is None:
            raise stop("worker_unreachable", why="--worker")
        return linking.worker_seen(self.asked.desk, self.facts)

    # 4. the new grant

    def _new(self, pair: Pair, old: GrantPlace, account: Grant, of_authority: Mapping[str, Grant], links: Mapping[str, list[str]],
        terms: Any, now: int) -> NewGrant:  # fmt: skip
        good = self.grant.last_good
        newest = (good["entry_hash"] or good["signature"]) if good else None

        number = new_grant_id(self.name, newest, self.asked.given_up)
        place = place_beside(old, number)
        address = place.grant
        ours = given_up_for(
            self.name, newest, self.asked.given_up, lambda number: place_beside(old, number).grant
        )
        others.refuse_later(pair.first, of_authority, account, self.name, ours, good, self.gate)
        start = start_of(terms, now, self.asked.start, self.gate)
        unused = survey.unused_at(
            pair, {"grant": address, "vault": place.vault, "PopState": place.pop_state}
        )
        linking.refuse_linked(links, address)
        if self.asked.desk is not None:
            linking.refuse_poisoned(self.asked.desk, address, self.facts)
        return NewGrant(
            address=address,
            vault=place.vault,
            pop_state=place.pop_state,
            grant_id=str(number),
            terms=Terms(
                amount_per_period=str(account.amount_per_period),
                period_seconds=account.period_seconds,
                start_ts=start,
                expires_at=account.expires_at if self.asked.expires is None else self.asked.expires,
                merkle_root=account.merkle_root,
                paused=False,
            ),
            unused_at=unused,
        )

    def _marker(self, new: NewGrant | None, roles: Roles, init: bool | None) -> Marker | None:
        """The seed marker, unless the program itself makes a grant at most once. Its seed follows
        from the new grant's address alone, so that a second operator's transaction for the same
        grant fails whole, whatever plan it is from.
        """
        if new is None or (init is True and roles.funder == roles.authority):
            return None
        seed = marker_seed(new.address, "2")
        return Marker(address=marker_address(roles.funder, seed), base=roles.funder, seed=seed)


def _refuse_misuse(asked: Request) -> None:
    """Refuse what no plan can be made with. Raises UsageError, with the option."""
    for option, keys in (("signer", [asked.signer]), ("given-up", asked.given_up)):
        for key in keys:
            if key is not None and not is_pubkey(key):
                raise UsageError(NO_KEY(option=option, value=key))
    numbers = (
        ("amount", asked.amount, 1),
        ("start", asked.start, -BIGGEST),
        ("expires", asked.expires, 0),
        ("fee-cap", asked.fee_cap, 1),
    )
    for option, number, least in numbers:
        if number is not None and not least <= number < BIGGEST:
            raise UsageError(OUT_OF_RANGE(option=option, value=number, least=least))


def _terms(account: Grant) -> Terms:
    return Terms(
        amount_per_period=str(account.amount_per_period),
        period_seconds=account.period_seconds,
        start_ts=account.start_ts,
        expires_at=account.expires_at,
        merkle_root=account.merkle_root,
        paused=account.paused,
    )


def _data(held: Held | None) -> bytes:
    return held.data if held is not None else b""


def _state(held: Held | None) -> bytes | None:
    return held.data if held is not None else None


def _tokens(held: Held | None) -> int:
    account = survey.token_account(held)
    return account.amount if account is not None else 0


def _short(data: bytes | None) -> str:
    return hashlib.sha256(data).hexdigest()[:12] if data is not None else "null"
