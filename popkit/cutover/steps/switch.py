"""Steps that are a transaction: close the old grant, create, fund and name the signer, together or
by roles.

What was done already, by whomever, is found by looking and left out: half a switch by hand is taken
over, and nothing is done twice.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from popkit.cutover.errors import Stopped
from popkit.cutover.journals.journal import Entry
from popkit.cutover.looking import (
    ACCOUNTS,
    TERMS,
    Looks,
    refuse_other_terms,
    same_period,
    same_terms,
)
from popkit.cutover.pages.pages import spoken_call
from popkit.cutover.pages.screen import Screen
from popkit.cutover.planning import survey
from popkit.cutover.planning.stepping import call_of
from popkit.cutover.reasons import stop
from popkit.cutover.run import EXPIRED, UNKNOWN
from popkit.cutover.sending.attempts import Outcome, of_step, unchecked
from popkit.cutover.sending.calls import Call
from popkit.cutover.sending.endpoint import Accounts
from popkit.cutover.sending.preparing import Rules, dry, prepare
from popkit.cutover.sending.sending import send
from popkit.cutover.sending.transactions import writable_of
from popkit.cutover.steps.anchored import watch_anchors
from popkit.cutover.steps.base import NOT_CHECKED, Step, unknown
from popkit.cutover.steps.found import deposited, evidence
from popkit.protocol.accounts import AccountError, TokenAccount, decode_grant, decode_pop_config
from popkit.texts import Listed, Sentence, Text, sentence

if TYPE_CHECKING:
    from popkit.cutover.signing.keys import Signer

FOUND = Text("found done", "実施済みを確認")
SIMULATION, SIGNS, COSTS, BY_OTHERS = (
    Text("simulation", "シミュレーション"),
    Text("is signed", "署名内容"),
    Text("costs", "費用"),
    Text("by others", "他者による実施"),
)
TRANSACTION, SLOT = Text("transaction", "トランザクション"), Text("slot", "スロット")
AS_PLANNED = Text(
    "every account is as planned, byte for byte",
    "すべてのアカウントが計画とバイト単位で一致しています",
)
WOULD_BE = Text(
    "succeeds, and leaves every account as planned",
    "成功し、すべてのアカウントが計画どおりになります",
)
ALREADY = Text(
    "found as planned already, not by this run", "この実行以外により、すでに計画どおりの状態です"
)
SHOWN_BY = Text("done by {signature} in slot {slot}", "スロット {slot} の {signature} で実施済み")
TOUCHED_BY = Text(
    "no transaction with the plan's own instruction is listed; the account's newest is {signature} "
    "in slot {slot}",
    "計画と同じ命令の取引は見つかりません。このアカウントの最新の取引はスロット {slot} の {signature} です",
)


REFUSED_TOO = Text(
    "{reason}; the node had refused it: {error}",
    "{reason}。ノードはこれを拒否していました: {error}",
)
NOT_LOOKED_AT_TOO = Text("{reason}; not checked: {words}", "{reason}。未確認: {words}")
OF_A_VAULT = Text(
    "a vault's instructions run inside of its multisig's transaction, which is not simulated here: "
    "read the proposal back before you approve",
    "vault の命令はマルチシグの取引の中で実行されるため、ここではシミュレーションしません。承認の前に提案を読み戻して確認してください",
)
OLD_TERMS, PERIOD = Text("terms", "条件"), Text("period", "期間")
COPYING = ("0", "2", "2.1")
"""Steps before the new grant is there: the old one must still have the terms that the plan copies.
"""
CREATED = tuple(name for name in TERMS if name != "merkle_root")
"""The terms that create_grant sets: the allowlist's root is a call of its own, which may be still
to come.
"""


class Switch(Step):
    """A step of one transaction. `remaining` are the calls that are still to be made."""

    def calls(self) -> list[Call]:
        """The plan's calls of this step."""
        return [call_of(one) for one in self.plan.instructions]

    @property
    def payer(self) -> str:
        roles = self.run.plan.roles
        return roles.funder if self.plan.role == "funder" else roles.payer

    def held(self) -> Accounts:
        """The accounts that the step may change, from both endpoints, which must agree."""
        return survey.agreed(self.run.pair(), list(writable_of(self.calls(), self.payer)))

    def look_closer(self, looks: Looks) -> None:
        run = self.run
        if self.id in COPYING and run.state("2.0") != "done":
            looks.add(OLD_TERMS, lambda: same_terms(run.plan, run.pair()))
        if self.id in (*COPYING, "2.2"):
            looks.add(PERIOD, lambda: same_period(run.plan, run.pair().first.clock().block_time))
        looks.add(ACCOUNTS, self._accounts)

    def _accounts(self) -> Sentence:
        held = self.held()
        left = self.remaining(held)
        self.refuse_drift(held, left)
        if any(call.name == "create_grant" for call in left):
            self._refuse_used()
        if not left:
            return ALREADY()
        names = Listed(tuple(call.name for call in left))
        if len(left) < len(self.calls()):
            return sentence(
                "to be done still: {calls}; the rest is found done",
                "残り: {calls}。ほかは実施済みです",
                calls=names,
            )
        return sentence(
            "as planned before: {calls} to be done",
            "計画どおりの状態です。実施するもの: {calls}",
            calls=names,
        )

    def _refuse_used(self) -> None:
        """That the new grant's addresses are unused still: no account, no signature, no proof.
        Raises Stopped.

        A node that has forgotten the old grant's claims may have forgotten the new one's as well:
        its "none" proves nothing.
        """
        broken = self.run.plan.broken
        known = next(
            (row["signature"] for row in (broken.last_good, broken.first_bad) if row is not None),
            None,
        )
        for endpoint in (self.run.pair().first, self.run.pair().second):
            if known is not None and endpoint.status(known) is None:
                raise stop("history_missing", signature=known)
        new = self.run.plan.new_grant
        assert new is not None
        survey.unused_at(
            self.run.pair(), {"grant": new.address, "vault": new.vault, "PopState": new.pop_state}
        )
        watch_anchors(self)

    def remaining(self, held: Accounts) -> list[Call]:
        """The calls whose effect is not there yet. Raises Stopped where something else is there."""
        found = [call for call in self.calls() if not self._is_there(call, held)]
        if [call.name for call in found] == ["marker"]:
            return []  # the marker guards what is there already
        return found

    def found_done(self) -> dict[str, Call]:
        """The calls whose effect is there, by the account that shows it; the marker only guards,
        and is none of them.
        """
        plan, new = self.run.plan, self.run.plan.new_grant
        at = {"set_paused": plan.old_grant.address, "close_grant": plan.old_grant.address}
        if new is not None:
            at |= {"create_grant": new.address, "fund_grant": new.vault}
        if plan.signer is not None:
            at["upsert_pop_config"] = plan.signer.pop_config
        return {at[call.name]: call for call in self.calls() if call.name in at}

    def _is_there(self, call: Call, held: Accounts) -> bool:
        plan, new = self.run.plan, self.run.plan.new_grant
        match call.name:
            case "marker":
                return plan.marker is not None and held[plan.marker.address] is not None
            case "create_grant":
                assert new is not None
                account = held[new.address]
                if account is None or account.owner != plan.program.program_id:
                    return False
                self._refuse_other_terms(account.data)
                return True
            case "set_allowlist_root":
                assert new is not None
                account = held[new.address]
                return (
                    account is not None
                    and decode_grant(account.data).merkle_root == new.terms.merkle_root
                )
            case "fund_grant":
                assert new is not None
                assert plan.amount is not None
                return self._is_funded(
                    survey.token_account(held[new.vault]), int(plan.amount.base_units)
                )
            case "upsert_pop_config":
                assert plan.signer is not None
                account = held[plan.signer.pop_config]
                return (
                    account is not None
                    and decode_pop_config(account.data).signer_pubkey == plan.signer.planned
                )
            case "set_paused":
                account = held[plan.old_grant.address]
                return account is not None and decode_grant(account.data).paused
            case "close_grant":
                return held[plan.old_grant.address] is None
        return False

    def _is_funded(self, vault: TokenAccount | None, wanted: int) -> bool:
        """Whether the new vault was funded. Raises Stopped where the cutover's own people paid in
        less than the plan says.

        Claims take out of a vault: that it holds less does not say that nobody funded it, and
        funding it again would pay twice.
        """
        if vault is None or vault.amount >= wanted:
            return vault is not None
        roles, new = self.run.plan.roles, self.run.plan.new_grant
        assert new is not None
        paid = deposited(
            self.run.pair().first, new.vault, {roles.authority, roles.funder, roles.payer}
        )
        if paid.total >= wanted:
            return True
        if paid.ours:
            raise stop(
                "drift", field=f"new vault {new.vault}", was=str(wanted), now=str(paid.total)
            )
        return False  # a stranger's few tokens are no funding

    def _refuse_other_terms(self, data: bytes) -> None:
        new = self.run.plan.new_grant
        assert new is not None
        try:
            found = decode_grant(data)
        except AccountError as error:
            raise stop("drift", field=new.address, was="null", now=str(error)) from None
        refuse_other_terms("new grant", new.terms, found, CREATED)

    def refuse_drift(self, held: Accounts, left: list[Call]) -> None:
        """Refuse where an account of the step is neither as it was planned from nor as it will be.
        Raises Stopped, naming it.

        A payer's lamports and the source's tokens move by themselves: they only have to be enough,
        which the effects show.
        """
        plan = self.run.plan
        signer = plan.signer
        if any(call.name == "upsert_pop_config" for call in left) and signer is not None:
            config = held[signer.pop_config]
            now = decode_pop_config(config.data).signer_pubkey if config is not None else None
            if now not in (signer.now, signer.planned):
                raise stop("drift", field="pop-config signer", was=signer.now, now=now)
        if any(call.name == "create_grant" for call in left) and plan.new_grant is not None:
            for key in (plan.new_grant.address, plan.new_grant.vault):
                if held[key] is not None:
                    raise stop(
                        "address_taken",
                        what="account",
                        address=key,
                        how=survey.state_digest(held[key]),
                    )

    @property
    def rules(self) -> Rules:
        """What the plan's program does with a grant that is there."""
        return Rules(rewrites=self.run.plan.program.init is not True)

    # dry

    def simulated(self, screen: Screen, looks: Looks) -> None:
        screen.add(SIGNS(), *map(spoken_call, self.plan.instructions))
        if looks.stopped is not None:
            return
        left = self.remaining(self.held())
        if not left:
            return
        if self.run.plan.roles.is_multisig:
            screen.add(NOT_CHECKED(), OF_A_VAULT, tone="note")
            return
        found = dry(self.run.pair().first, left, self.payer, rules=self.rules)
        if found.error is not None:
            _stop(screen, looks, stop("would_fail", error=found.error))
        elif found.stopped is not None:
            _stop(screen, looks, found.stopped)
        elif found.differences:
            one = found.differences[0]
            _stop(
                screen,
                looks,
                stop(
                    "other_effect",
                    what=f"{one.account} {one.field}",
                    was=one.expected,
                    now=one.found,
                ),
            )
        else:
            screen.add(SIMULATION(), WOULD_BE, tone="good")
        fee, units = ("?" if value is None else value for value in (found.fee, found.units))
        screen.add(
            COSTS(),
            sentence(
                "{fee} lamports, {units} compute units",
                "{fee} lamports、compute unit {units}",
                fee=fee,
                units=units,
            ),
        )
        screen.add(NOT_CHECKED(), *found.not_checked, tone="note")

    def before_confirming(self) -> list[str]:
        """For a multisig's vault: write what its tool needs, and read back what the tool made of
        it; then this step finds it done.
        """
        if not (self.run.plan.roles.is_multisig and self.plan.instructions):
            return []
        name = shlex.quote(str(self.run.root))
        return [
            f"popkit cutover export {name} {self.id} --for multisig --out FILE",
            f"popkit cutover readback {name} {self.id} ADDRESS",
        ]

    # act

    def carry_out(self, looks: Looks) -> Entry:
        held = self.held()
        left = self.remaining(held)
        if not left:
            return self.done(by="others", found=evidence(self.run.pair().first, self.found_done()))
        return self.settle(self._sent(left))

    def _sent(self, left: list[Call]) -> Outcome:
        run, pair = self.run, self.run.pair()
        keys: list[Signer] = [run.key(self.plan.role)]
        prepared = prepare(
            pair.first,
            left,
            self.payer,
            keys,
            fee_cap_lamports=run.plan.limits.fee_cap_lamports,
            rules=self.rules,
        )
        self.acting(
            calls=[call.name for call in left], attempts_before=len(of_step(run.attempts, self.id))
        )
        return send(
            prepared,
            pair.first,
            pair.second,
            run.attempts,
            run.journal,
            self.id,
            beat=run.beat,
            sleep=run.sleep,
        )

    def settle(self, outcome: Outcome) -> Entry:
        """Write how an attempt ended; raise where it is not a success."""
        facts: dict[str, Any] = {
            "signature": outcome.signature,
            "slot": outcome.slot,
            "fee": outcome.fee,
        }
        if outcome.not_checked:
            facts["not_checked"] = list(outcome.not_checked)
        error: dict[str, Any] = (
            {"error": outcome.error, "logs": list(outcome.logs)}
            if outcome.error is not None
            else {}
        )
        if outcome.kind == "unknown":
            self.run.journal.write(UNKNOWN, self.id, by=self.plan.role, **error, **facts)
            raise whole(unknown(self.id), outcome)
        if outcome.kind == "expired":
            self.run.journal.write(EXPIRED, self.id, **error, **facts)
            raise whole(stop("expired", step=self.id), outcome)
        if outcome.kind == "failed":
            self.failed(
                whole(stop("landed_failed", error=outcome.error), outcome), **error, **facts
            )
        if outcome.differences:
            first = outcome.differences[0]
            wrong = stop(
                "wrong_result",
                what=f"{first.account} {first.field}",
                was=first.expected,
                now=first.found,
            )
            self.failed(
                whole(wrong, outcome), differences=[str(d) for d in outcome.differences], **facts
            )
        return self.done(by="us", block_time=outcome.block_time, **facts)

    def result_rows(self, screen: Screen, entry: Entry) -> None:
        if entry.facts.get("done_by") == "others":
            screen.add(BY_OTHERS(), ALREADY, tone="good")
            for row in entry.facts["found"]:
                words = SHOWN_BY if row["same"] else TOUCHED_BY
                screen.add(
                    str(row["call"]),
                    words(signature=row["signature"] or "-", slot=row["slot"] or "-"),
                )
            return
        screen.add(TRANSACTION(), str(entry.facts.get("signature")), tone="good")
        screen.add(SLOT(), str(entry.facts.get("slot")))
        screen.add(ACCOUNTS(), AS_PLANNED, tone="good")
        screen.add(NOT_CHECKED(), *unchecked(entry.facts.get("not_checked", ())), tone="note")


def whole(stopped: Stopped, outcome: Outcome) -> Stopped:
    """A stop with all that is known of its outcome in the reason: the node's refusal of what never
    landed, and what was not looked at.
    """
    reason = stopped.reason
    if outcome.kind in ("expired", "unknown") and outcome.error is not None:
        reason = REFUSED_TOO(reason=reason, error=outcome.error)
    for words in outcome.unchecked:
        reason = NOT_LOOKED_AT_TOO(reason=reason, words=words)
    return type(stopped)(stopped.code, reason, stopped.advice)


def _stop(screen: Screen, looks: Looks, stopped: Stopped) -> None:
    looks.stop(SIMULATION, stopped)
    screen.add(SIMULATION(), stopped.reason, tone="stop")
