"""What a plan holds, and the file that it is: canonical JSON (RFC 8785), named by its digest, never
changed.

Every page and every screen of a cutover is a reading of these objects. Amounts of tokens and grant
ids are decimal strings (they may pass 2^53), lamports and times are integers, hashes are 64 hex
digits, keys base58. What nobody could look at is null, never a guess.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

import msgspec
import rfc8785

from popkit.errors import UsageError
from popkit.texts import Language, Text

SCHEMA = "popkit.plan/1"
FILE = "plan.json"
Remedy = Literal["switch", "signer"]
Effect = Literal["pure", "idempotent", "at most once"]

NOT_A_PLAN = Text(
    "{place}: is not a plan of a cutover: {why}", "{place}: 切り替えの計画ではありません: {why}"
)
NO_PLAN = Text(
    "{place}: no plan is there; make one with 'popkit cutover plan'",
    "{place}: 計画がありません。`popkit cutover plan` で作成してください",
)
CHANGED = Text(
    "{place}: the plan's bytes are not canonical, so somebody edited it; plan anew",
    "{place}: 計画が正規形のバイト列ではなく、編集されています。計画を作り直してください",
)


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a plan: every field is always there, and nothing else is."""


class Limits(_Part, frozen=True, kw_only=True):
    """How old things may be, in seconds, and what a transaction may cost at most, in lamports."""

    plan_seconds: int = 86_400
    case_seconds: int = 3_600
    wait_for_proofs_seconds: int = 600
    confirmation_seconds: int = 600
    clock_seconds: int = 60
    fee_cap_lamports: int = 100_000


class OfCase(_Part, frozen=True, kw_only=True):
    """The evidence that the plan stands on: its name, the digest of its manifest (null: not
    sealed), and of its findings.json.
    """

    name: str
    manifest_sha256: str | None
    findings_sha256: str
    collected_at: int


class Words(_Part, frozen=True, kw_only=True):
    """A text in both languages, with its values in it."""

    en: str
    ja: str

    def in_language(self, language: Language) -> str:
        """The text in one language."""
        return self.ja if language == "ja" else self.en

    def __str__(self) -> str:
        return self.en


class Break(_Part, frozen=True, kw_only=True):
    """What is broken, as findings.json says it, and why in words."""

    verdict: str
    because: Words
    causes: list[str]
    began: dict[str, Any] | None
    last_good: dict[str, Any] | None
    first_bad: dict[str, Any] | None
    heads: dict[str, str | None]
    missing_entries: list[str]
    heals_until: int | None


class Block(_Part, frozen=True, kw_only=True):
    """A finalized block by which a cluster is known again."""

    slot: int
    blockhash: str
    time: int | None


class Cluster(_Part, frozen=True, kw_only=True):
    """Which cluster this is: its genesis hash and a finalized block, both from two endpoints."""

    name: str
    genesis_hash: str
    node_version: str
    block: Block
    agreed_by_second: bool


class Program(_Part, frozen=True, kw_only=True):
    """The program as it was looked at. `kind` is 'upgradeable', or the loader that owns it; a
    digest is of the whole ProgramData.

    `era` is what behaviour shows in the case; `init` is whether create_grant refuses an existing
    grant (null: not known).
    """

    program_id: str
    kind: str
    program_data: str | None
    slot: int | None
    sha256: str | None
    upgrade_authority: str | None
    era: str
    era_shown_by: str
    init: bool | None


class WorkerSeen(_Part, frozen=True, kw_only=True):
    """The worker as it answered: whom it signs as, the newest entry of its audit list, and whether
    that continues the case's.

    `model` (A to E) is that of the case's newest anchor, null where it has none. `rotates_at` is
    the unix second at which its key changes by the calendar, null where it does not, or does not
    say so.
    """

    signer: str | None
    model: str | None
    newest_entry: str | None
    continues_case: bool | None
    can_close_events: bool | None
    rotates_at: int | None


class Terms(_Part, frozen=True, kw_only=True):
    """A grant's terms: amount in base units a period, seconds, unix seconds (expires_at 0: never);
    a string where past 2^53.
    """

    amount_per_period: str
    period_seconds: int
    start_ts: int
    expires_at: int
    merkle_root: str
    paused: bool


class OldGrant(_Part, frozen=True, kw_only=True):
    """The grant that is left: its addresses, terms, the bytes of its accounts (base64) as of
    `slot`, and what its vault holds.
    """

    address: str
    vault: str
    pop_state: str
    authority: str
    mint: str
    grant_id: str
    terms: Terms
    slot: int
    grant_bytes: str
    pop_state_bytes: str | None
    head: str | None
    vault_amount: str


class Marker(_Part, frozen=True, kw_only=True):
    """An empty account whose making fails a second time: it makes its transaction at most once on
    chain.
    """

    address: str
    base: str
    seed: str


class NewGrant(_Part, frozen=True, kw_only=True):
    """The grant that takes over. `unused_at` are the finalized slots, by endpoint, at which its
    addresses were proven unused.
    """

    address: str
    vault: str
    pop_state: str
    grant_id: str
    terms: Terms
    unused_at: dict[str, int] | None


class Signer(_Part, frozen=True, kw_only=True):
    """The key that pop-config must name: what it names now, what the plan sets, and where that key
    is from.
    """

    pop_config: str
    now: str | None
    planned: str
    source: Literal["last accepted claims", "typed by a person"]
    upsert: bool


class Group(_Part, frozen=True, kw_only=True):
    """Some claimers, how many, and what they stand for in base units."""

    count: int
    amount: str
    claimers: list[str]


class People(_Part, frozen=True, kw_only=True):
    """Who is owed, by period of the old grant. Null where the case cannot tell.

    `owed_now` can claim on the new grant; `owed_before` cannot be served by a new grant;
    `may_claim_twice` have a receipt of this period on the old grant, which the new one does not
    know.
    """

    period: int
    period_ends_at: int
    owed_now: Group | None
    owed_before: Group | None
    may_claim_twice: Group


class Amount(_Part, frozen=True, kw_only=True):
    """What the new vault gets, in base units, and what was reckoned: claims owed now, claims of a
    period, the operator's own claim.

    `reckoned_period` is the last full period of the old grant, or the running one where none is
    full.
    """

    base_units: str
    source: Literal["proposed", "given"]
    owed_claims: int | None
    reckoned_period: int
    reckoned_period_is_full: bool
    reckoned_claims: int
    canary_claims: int
    amount_per_claim: str


class Money(_Part, frozen=True, kw_only=True):
    """What there is and what it costs, in lamports and base units. `rent` is by account;
    `payer_after` follows every step of that payer.
    """

    mint_authority: str | None
    decimals: int
    source: str
    source_amount: str | None
    only_in_old_vault: bool
    payer: str
    payer_lamports: int
    rent: dict[str, int]
    fees: int
    payer_after: int
    funder_lamports: int | None


class Event(_Part, frozen=True, kw_only=True):
    """The event to be made at the worker, beside the old one. Its owner, who sees the claimants, is
    whose token makes it.
    """

    old_id: str | None
    title: str
    datetime: str
    host: str
    ticket_token_amount: int
    claim_interval_days: int
    max_claims_per_interval: int | None
    solana_mint: str
    solana_authority: str
    solana_grant_id: str
    others_on_old_grant: list[str]
    warning_words: list[str]


class OtherGrant(_Part, frozen=True, kw_only=True):
    """Another grant of this authority, and what a change of pop-config does to it."""

    address: str
    effect: Literal["none", "helped", "hit", "not known"]
    why: Words


class Roles(_Part, frozen=True, kw_only=True):
    """Public keys by role. `is_multisig` is of the authority: an address that no key can sign for."""

    authority: str
    funder: str
    payer: str
    is_multisig: bool


class Change(_Part, frozen=True, kw_only=True):
    """An account that a step may change: what it holds before and after (SHA-256 of owner, lamports
    and data; null: no account).

    `rule` says what is left open: 'fee' (lamports less the fee), 'clock' (a time that the program
    reads), 'none'.
    """

    account: str
    what: str
    before: str | None
    after: str | None
    rule: Literal["none", "fee", "clock"]


class Instruction(_Part, frozen=True, kw_only=True):
    """One instruction to be signed: its name, program, data (base64), accounts in order with flags
    's' and 'w', and decoded arguments.
    """

    name: str
    program: str
    data: str
    accounts: list[tuple[str, str]]
    args: dict[str, str]


class StepPlan(_Part, frozen=True, kw_only=True):
    """A step: its effect class, who runs it, what it signs and changes, and the value that confirms
    it.

    `look_up` names what to read off this plan's page; `value` is it.
    """

    id: str
    name: str
    effect: Effect
    role: str
    optional: bool
    instructions: list[Instruction]
    changes: list[Change]
    look_up: str
    value: str


class Plan(_Part, frozen=True, kw_only=True):
    """A whole plan. Parts that a draft from the case alone (`draft`) cannot have are null."""

    schema: Literal["popkit.plan/1"] = "popkit.plan/1"
    draft: bool
    made_at: int
    remedy: Remedy
    reason: str | None
    overridden: list[str]
    limits: Limits
    case: OfCase
    broken: Break
    cluster: Cluster | None
    program: Program
    worker: WorkerSeen | None
    old_grant: OldGrant
    new_grant: NewGrant | None
    given_up: list[str]
    marker: Marker | None
    signer: Signer | None
    people: People
    amount: Amount | None
    money: Money | None
    event: Event | None
    other_grants: list[OtherGrant]
    roles: Roles
    steps: list[StepPlan]
    announcement: Words
    not_checked: list[Words]

    def step(self, name: str) -> StepPlan:
        """A step by its id. Raises UsageError, with what there is."""
        for step in self.steps:
            if step.id == name:
                return step
        raise UsageError(NO_STEP(step=name, steps=", ".join(step.id for step in self.steps)))


NO_STEP = Text(
    "{step}: the plan has no such step; it has {steps}",
    "{step}: その番号の手順は計画にありません。あるのは {steps} です",
)


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of plain values or of a part of a plan; integers past 2^53 are
    decimal strings.
    """
    return rfc8785.dumps(_exact(msgspec.to_builtins(value, order=None)))


def _exact(value: Any) -> Any:
    """Plain values with the integers that RFC 8785 has no form for as strings: a period may be 2^63
    - 1 seconds.
    """
    if isinstance(value, dict):
        return {name: _exact(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(part) for part in value]
    return str(value) if type(value) is int and abs(value) >= 1 << 53 else value


def digest(plan: Plan) -> str:
    """A plan's name: the SHA-256 of its canonical bytes, in hex."""
    return hashlib.sha256(canonical(plan)).hexdigest()


def write_plan(run: Path, plan: Plan) -> str:
    """Write RUN/plan.json, once, and give its digest. Raises FileExistsError where there is one."""
    with (run / FILE).open("xb") as file:
        file.write(canonical(plan))
    return digest(plan)


def read_plan(run: Path) -> Plan:
    """The plan of a run. Raises UsageError where there is none, or where it is not exactly as it
    was written.
    """
    place = run / FILE
    try:
        data = place.read_bytes()
    except OSError:
        raise UsageError(NO_PLAN(place=run)) from None
    try:
        plan = msgspec.json.decode(
            data, type=Plan, strict=False
        )  # integers as strings; what is not canonical is refused below
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(NOT_A_PLAN(place=place, why=error)) from None
    if canonical(plan) != data:
        raise UsageError(CHANGED(place=place))
    return plan


def json_schema() -> dict[str, Any]:
    """The JSON Schema of plan.json, made from the classes above; `plan.schema.json` is it."""
    schema = msgspec.json.schema(Plan)
    for field in schema["$defs"]["Terms"]["properties"].values():
        if field == {"type": "integer"}:
            field["type"] = ["integer", "string"]  # one past 2^53 is a string of digits
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA,
        "title": "A plan of a cutover",
        **schema,
    }
