"""The steps of a plan: what each signs, which accounts it may change and to what, and the value
that confirms it.

The step ids are the runbook's. What several keys must sign stands in steps of its own (2.1 create,
2.2 fund, 2.3 signer); where one key may sign all three they are one transaction (2), which lands
whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pybase64 import b64decode, b64encode

from popkit.chain.history import ZERO_ROOT
from popkit.cutover.plan import (
    Amount,
    Change,
    Effect,
    Event,
    Instruction,
    Limits,
    Marker,
    NewGrant,
    OldGrant,
    Plan,
    Remedy,
    Roles,
    Signer,
    StepPlan,
    Words,
)
from popkit.cutover.planning import survey
from popkit.cutover.planning.announcing import words
from popkit.cutover.planning.survey import Pair
from popkit.cutover.reasons import stop
from popkit.cutover.sending.calls import (
    Call,
    GrantPlace,
    close_grant,
    create_grant,
    fund_grant,
    marker,
    set_allowlist_root,
    set_paused,
    upsert_pop_config,
)
from popkit.cutover.sending.decoding import decoded
from popkit.cutover.sending.effects import after
from popkit.cutover.sending.endpoint import Held
from popkit.cutover.sending.transactions import message_of, writable_of
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.pda import associated_token_address
from popkit.protocol.transaction_model import Instruction as Called
from popkit.texts import Text

FREEZE, LAST_GOOD, CLOSE_OLD, SWITCH, CREATE, FUND, SIGNER = (
    "0",
    "1",
    "2.0",
    "2",
    "2.1",
    "2.2",
    "2.3",
)
EVENT, CANARY, FORK, VERIFY, CLOSE_EVENT = "2.4", "2.5", "3", "4", "4.1"
ORDER = (
    FREEZE,
    LAST_GOOD,
    CLOSE_OLD,
    SWITCH,
    CREATE,
    FUND,
    SIGNER,
    EVENT,
    CANARY,
    FORK,
    VERIFY,
    CLOSE_EVENT,
)
"""Every step that a plan may have, in the order in which they are done."""

SUFFIX = 6
"""Letters of an address that confirm a step which changes it."""
AUTHORITY, FUNDER, OPERATOR = "authority", "funder", "operator"

ONE_BY_ONE = Text(
    "step {step} can be simulated only when the step before it has landed",
    "手順 {step} は、前の手順が取り込まれてからでないとシミュレーションできません",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the steps are made from. `place` is where the old grant lives; `pair` asks both nodes
    for its accounts and what things cost.
    """

    pair: Pair
    place: GrantPlace
    old: OldGrant
    new: NewGrant | None
    marker: Marker | None
    signer: Signer
    roles: Roles
    amount: Amount | None
    event: Event | None
    remedy: Remedy
    close_old: bool
    can_close: bool | None
    init: bool | None
    now: int
    limits: Limits

    @property
    def new_place(self) -> GrantPlace:
        """Where the new grant lives."""
        assert self.new is not None
        return place_beside(self.place, int(self.new.grant_id))

    @property
    def is_one_key(self) -> bool:
        """Whether one key may sign create, fund and upsert."""
        return self.roles.funder == self.roles.authority


def tail(address: str) -> str:
    """The letters of an address that a person looks up."""
    return address[-SUFFIX:]


def place_beside(old: GrantPlace, grant_id: int) -> GrantPlace:
    """Where a new grant lives: under the program, authority and mint of the old one, which it takes
    over from.
    """
    return replace(old, grant_id=grant_id)


def place_of_new(plan: Plan) -> GrantPlace:
    """Where a plan's new grant lives."""
    old, new = plan.old_grant, plan.new_grant
    assert new is not None
    return place_beside(
        GrantPlace(plan.program.program_id, old.authority, old.mint, int(old.grant_id)),
        int(new.grant_id),
    )


def calls_of(parts: Parts, marker_rent: int) -> dict[str, list[Call]]:
    """The calls of every step that signs something, by step, in the order of the steps."""
    if parts.remedy == "signer":
        return {SIGNER: [_upsert(parts)]}
    assert parts.new is not None
    assert parts.amount is not None
    found: dict[str, list[Call]] = {}
    if not parts.old.terms.paused:
        found[FREEZE] = [set_paused(parts.place)]
    if parts.close_old:
        found[CLOSE_OLD] = [close_grant(parts.place)]
    mark = (
        [marker(parts.marker.base, parts.marker.seed, marker_rent)]
        if parts.marker is not None
        else []
    )
    made, funded = (
        _create(parts),
        fund_grant(parts.new_place, int(parts.amount.base_units), funder=parts.roles.funder),
    )
    named = [_upsert(parts)] if parts.signer.upsert else []
    if parts.is_one_key:
        found[SWITCH] = [*mark, *made, funded, *named]
    else:
        found |= {CREATE: made, FUND: [*mark, funded]} | ({SIGNER: named} if named else {})
    return found


def _create(parts: Parts) -> list[Call]:
    new = parts.new
    assert new is not None
    made = create_grant(
        parts.new_place,
        amount_per_period=int(new.terms.amount_per_period),
        period_seconds=new.terms.period_seconds,
        start_ts=new.terms.start_ts,
        expires_at=new.terms.expires_at,
    )
    root = (
        [set_allowlist_root(parts.new_place, new.terms.merkle_root)]
        if new.terms.merkle_root != ZERO_ROOT
        else []
    )
    return [made, *root]


def _upsert(parts: Parts) -> Call:
    return upsert_pop_config(parts.place.program, parts.place.authority, parts.signer.planned)


World = dict[str, Held | None]


def steps_of(parts: Parts) -> tuple[list[StepPlan], World, dict[str, int], list[Words]]:
    """The steps, the accounts after all of them, the fee of each in lamports, and what could not be
    checked now.

    Raises Stopped where a step's calls would be refused by the accounts as both endpoints hold
    them.
    """
    rent = parts.pair.first.rent
    calls = calls_of(parts, rent(0))
    keys = [key for step, made in calls.items() for key in writable_of(made, payer_of(parts, step))]
    world: World = dict(survey.agreed(parts.pair, list(dict.fromkeys(keys)))) if keys else {}
    signed: dict[str, tuple[list[Instruction], list[Change]]] = {}
    fees: dict[str, int] = {}
    for step, made in calls.items():
        payer = payer_of(parts, step)
        fees[step] = 0 if parts.roles.is_multisig else fee_of(parts.pair, made, payer)
        before = world
        world = before | after(
            made, before, payer, fees[step], rent, parts.now, rewrites=parts.init is not True
        )
        touched = writable_of(made, payer)
        signed[step] = (
            [instruction_of(call, parts.place.program) for call in made],
            changes(before, world, touched, payer, _names(parts)),
        )
    not_checked = [words(ONE_BY_ONE(step=step)) for step in calls if step in (FUND, SIGNER)]
    return _all_steps(parts, signed), world, fees, not_checked


def payer_of(parts: Parts, step: str) -> str:
    """Who pays for a step's transaction."""
    return parts.roles.funder if step == FUND else parts.roles.payer


def fee_of(pair: Pair, calls: Sequence[Call], payer: str) -> int:
    """What the node asks for these calls, without a priority fee, in lamports."""
    fee = pair.first.fee(message_of(calls, payer, pair.first.blockhash().blockhash))
    if fee is None:
        raise stop("endpoints_disagree", what="getFeeForMessage", first="null", second="-")
    return fee


def instruction_of(call: Call, program: str) -> Instruction:
    """A call as a plan keeps it: bytes, accounts in order, and its arguments decoded from those
    bytes.
    """
    read = decoded(
        0, Called(call.program, tuple(meta.pubkey for meta in call.metas), call.data), program
    )
    return Instruction(
        name=call.name,
        program=call.program,
        data=b64encode(call.data).decode(),
        accounts=[
            (meta.pubkey, ("s" if meta.is_signer else "") + ("w" if meta.is_writable else ""))
            for meta in call.metas
        ],
        args={name: str(value) for name, value in read.args.items()},
    )


def call_of(instruction: Instruction) -> Call:
    """The call that a plan's instruction is: the inverse of `instruction_of`."""
    metas = tuple(
        AccountMeta(key, "s" in flags, "w" in flags) for key, flags in instruction.accounts
    )
    return Call(instruction.name, instruction.program, metas, b64decode(instruction.data))


def changes(before: Mapping[str, Held | None], then: Mapping[str, Held | None], keys: Sequence[str], payer: str,
    names: Mapping[str, str]) -> list[Change]:  # fmt: skip
    """The accounts that a step may change, in the order of the transaction."""
    return [
        Change(
            account=key,
            what=names.get(key, "account"),
            before=survey.state_digest(before[key]),
            after=survey.state_digest(then[key]),
            rule="fee" if key == payer else "none",
        )
        for key in keys
    ]


def _names(parts: Parts) -> dict[str, str]:
    """What the accounts are, for the plan's page."""
    place = parts.place
    names = {
        place.grant: "old grant", place.vault: "old vault", place.pop_state: "old PopState", place.pop_config: "pop-config",
        place.mint: "mint", place.tokens: "token account", place.authority: "authority",
    }  # fmt: skip
    if parts.roles.funder != place.authority:
        names |= {
            parts.roles.funder: "funder",
            associated_token_address(parts.roles.funder, place.mint): "funder's token account",
        }
    if parts.new is not None:
        names |= {
            parts.new.address: "new grant",
            parts.new.vault: "new vault",
            parts.new.pop_state: "new PopState",
        }
    if parts.marker is not None:
        names[parts.marker.address] = "marker"
    return names


def _all_steps(
    parts: Parts, signed: Mapping[str, tuple[list[Instruction], list[Change]]]
) -> list[StepPlan]:
    """Every step of the remedy, those that sign nothing among them."""
    old, new, amount = parts.old, parts.new, parts.amount
    config = tail(parts.signer.pop_config)
    if parts.remedy == "signer":
        return [
            _step(LAST_GOOD, "last good", "pure", OPERATOR, "", "", signed),
            _step(SIGNER, "signer", "idempotent", AUTHORITY, "pop-config", config, signed),
            _step(VERIFY, "verification", "pure", OPERATOR, "", "", signed),
        ]
    assert new is not None
    assert amount is not None
    steps = [
        _step(FREEZE, "freeze", "idempotent", AUTHORITY, "old grant", tail(old.address), signed),
        _step(LAST_GOOD, "last good", "pure", OPERATOR, "", "", signed),
    ]
    if parts.close_old:
        steps.append(
            _step(
                CLOSE_OLD,
                "close the old grant",
                "at most once",
                AUTHORITY,
                "old vault",
                tail(old.vault),
                signed,
            )
        )
    if parts.is_one_key:
        both = f"{tail(new.address)}/{amount.base_units}"
        steps.append(
            _step(SWITCH, "switch", "at most once", AUTHORITY, "new grant/amount", both, signed)
        )
    else:
        steps.append(
            _step(
                CREATE, "create", "at most once", AUTHORITY, "new grant", tail(new.address), signed
            )
        )
        steps.append(
            _step(FUND, "fund", "at most once", FUNDER, "amount", amount.base_units, signed)
        )
        if parts.signer.upsert:
            steps.append(
                _step(SIGNER, "signer", "idempotent", AUTHORITY, "pop-config", config, signed)
            )
    steps += [
        _step(EVENT, "event", "at most once", OPERATOR, "new grant", tail(new.address), signed),
        _step(CANARY, "canary", "at most once", OPERATOR, "new vault", tail(new.vault), signed),
        _step(FORK, "fork handling", "pure", OPERATOR, "", "", signed),
        _step(VERIFY, "verification", "pure", OPERATOR, "", "", signed),
    ]
    if parts.can_close is not False and parts.event is not None and parts.event.old_id is not None:
        steps.append(
            _step(
                CLOSE_EVENT,
                "close the old event",
                "idempotent",
                OPERATOR,
                "old event",
                parts.event.old_id,
                signed,
            )
        )
    return steps


def _step(step: str, name: str, effect: Effect, role: str, look_up: str, value: str,
    signed: Mapping[str, tuple[list[Instruction], list[Change]]]) -> StepPlan:  # fmt: skip
    instructions, changed = signed.get(step, ([], []))
    return StepPlan(
        id=step,
        name=name,
        effect=effect,
        role=role,
        optional=step in (CLOSE_OLD, CLOSE_EVENT),
        instructions=instructions,
        changes=changed,
        look_up=look_up,
        value=value,
    )
