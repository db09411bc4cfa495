"""The grant program's rules in five builds, from the written reference: its checks in their order, its state, its logs.

Nothing here is popkit's judgement: only the byte layouts are shared with it.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from solders.pubkey import Pubkey
from solders.signature import Signature

from popkit.protocol.accounts import ClaimReceipt, Grant, PopConfig, PopState, TokenAccount
from popkit.protocol.keys import ATA_PROGRAM, COMPUTE_BUDGET_PROGRAM, ED25519_PROGRAM, PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM

GENESIS = "0" * 64
BUILDS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")
WRAPPER_PROGRAM = str(Pubkey(sha256(b"a program that claims for others").digest()))

# name → (number, message, line of the check in strict, strict_v2, relaxed, head); two numbers moved in strict_v2.
ERRORS: dict[str, tuple[int, str, tuple[int, int, int, int] | None]] = {
    "InsufficientFunds": (6001, "Insufficient funds", (589, 589, 589, 634)),
    "InvalidPeriodIndex": (6005, "Invalid period index", (576, 576, 576, 621)),
    "Paused": (6007, "Grant is paused", (105, 105, 105, 135)),
    "GrantExpired": (6008, "Grant expired", (565, 565, 565, 610)),
    "GrantNotStarted": (6009, "Grant not started", (568, 568, 568, 613)),
    "AllowlistRequired": (6011, "Allowlist is required for this grant", (107, 107, 107, 137)),
    "AllowlistNotEnabled": (6012, "Allowlist is not enabled", (235, 235, 235, 265)),
    "NotInAllowlist": (6013, "Claimer is not in allowlist", (242, 242, 242, 272)),
    "MissingPopSignatureInstruction": (6015, "Missing PoP signature instruction", (648, 648, 648, 704)),
    "InvalidPopSignatureProgram": (6016, "Invalid PoP signature program", (652, 652, 652, 708)),
    "InvalidPopSigner": (6018, "Invalid PoP signer", (658, 658, 658, 714)),
    "PopProofGrantMismatch": (6021, "PoP proof grant mismatch", (664, 669, 669, 725)),
    "PopProofClaimerMismatch": (6022, "PoP proof claimer mismatch", (665, 670, 670, 726)),
    "PopProofPeriodMismatch": (6023, "PoP proof period mismatch", (669, 674, 674, 730)),
    "PopProofExpired": (6024, "PoP proof expired", (697, 700, 700, 756)),
    "PopEntryHashMismatch": (6025, "PoP entry hash mismatch", (691, 694, 694, 750)),
    "PopHashChainBroken": (6026, "PoP hash chain continuity is broken", (702, 705, 0, 0)),
    "PopStreamChainBroken": (6027, "PoP stream chain continuity is broken", (706, 709, 0, 0)),
    "PopGenesisMismatch": (6028, "PoP genesis hash mismatch", (711, 714, 0, 0)),
    "AccountNotInitialized": (3012, "The program expected this account to be already initialized", None),
    "AccountOwnedByWrongProgram": (3007, "The given account is owned by a different program than expected", None),
    "InvalidProgramId": (3008, "Program ID was not as expected", None),
}


class Refused(Exception):
    """One instruction failed: a program's custom code, and the log lines before its `failed` line."""

    def __init__(self, code: int, lines: list[str]) -> None:
        super().__init__(code)
        self.code, self.lines = code, lines


@dataclass(frozen=True)
class Call:
    """One instruction: bytes for the transaction, meaning for the simulated runtime. `inner` is what a wrapper invokes."""

    program: str
    data: bytes
    metas: tuple[tuple[str, bool, bool], ...]
    name: str = ""
    args: dict[str, Any] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    inner: Call | None = None


@dataclass
class Ledger:
    """Everything on chain: program accounts by address, token accounts by address."""

    grants: dict[str, Grant] = field(default_factory=dict)
    configs: dict[str, PopConfig] = field(default_factory=dict)
    states: dict[str, PopState] = field(default_factory=dict)
    receipts: dict[str, ClaimReceipt] = field(default_factory=dict)
    tokens: dict[str, TokenAccount] = field(default_factory=dict)


@dataclass
class Outcome:
    """What the runtime made of a transaction."""

    err: dict[str, Any] | None
    logs: list[str]
    ledger: Ledger
    inner: list[dict[str, Any]]

    @property
    def error(self) -> int | None:
        return None if self.err is None else self.err["InstructionError"][1]["Custom"]


def execute(ledger: Ledger, calls: list[Call], now: int, build: str) -> Outcome:
    """Run a transaction's instructions on a copy of the ledger; the copy counts only when nothing failed."""
    trial, logs = copy.deepcopy(ledger), []
    for index in range(len(calls)):
        try:
            _run(trial, calls, index, now, build, logs)
        except Refused as refusal:
            return Outcome({"InstructionError": [index, {"Custom": refusal.code}]}, logs, ledger, [])
    return Outcome(None, logs, trial, [])


def _run(ledger: Ledger, calls: list[Call], index: int, now: int, build: str, logs: list[str]) -> None:
    call = calls[index]
    if call.program == ED25519_PROGRAM:
        _precompile(call.data)
        return
    logs.append(f"Program {call.program} invoke [1]")
    if call.program == ATA_PROGRAM:
        ledger.tokens[call.accounts["ata"]] = TokenAccount(call.accounts["mint"], call.accounts["owner"], 0)
    elif call.program == PROGRAM_ID:
        _framed(ledger, call, calls, index, now, build, logs, 1)
    elif call.inner is not None:
        logs.append(f"Program {call.inner.program} invoke [2]")
        try:
            _framed(ledger, call.inner, calls, index, now, build, logs, 2)
        except Refused as refusal:
            logs.append(f"Program {call.program} failed: custom program error: {refusal.code:#x}")
            raise
        logs.append(f"Program {call.inner.program} success")
    else:
        assert call.program == COMPUTE_BUDGET_PROGRAM, call.program
    logs.append(f"Program {call.program} success")


def _framed(ledger: Ledger, call: Call, calls: list[Call], index: int, now: int, build: str, logs: list[str], depth: int) -> None:
    logs.append("Program log: Instruction: " + "".join(part.capitalize() for part in call.name.split("_")))
    try:
        _program(ledger, call, calls, index, now, build)
    except Refused as refusal:
        logs.extend(refusal.lines)
        logs.append(f"Program {PROGRAM_ID} failed: custom program error: {refusal.code:#x}")
        raise
    if call.name.startswith("claim"):
        logs += [f"Program {TOKEN_PROGRAM} invoke [{depth + 1}]", "Program log: Instruction: TransferChecked"]
        logs.append(f"Program {TOKEN_PROGRAM} success")


def _precompile(data: bytes) -> None:
    signature_at, key_at, message_at, size = (int.from_bytes(data[at : at + 2], "little") for at in (2, 6, 10, 12))
    signature = Signature(data[signature_at : signature_at + 64])
    if not signature.verify(Pubkey(data[key_at : key_at + 32]), data[message_at : message_at + size]):
        raise Refused(2, [])


def _thrown(build: str, name: str) -> Refused:
    number, message, lines = ERRORS[name]
    line = 94 if build == "pre_pop" else (lines or (0, 0, 0, 0))[BUILDS.index(build) - 1]
    text = f"Error Code: {name}. Error Number: {number}. Error Message: {message}."
    return Refused(number, [f"Program log: AnchorError thrown in programs/grant_program/src/lib.rs:{line}. {text}"])


def _caused(account: str, name: str) -> Refused:
    number, message, _ = ERRORS[name]
    text = f"Error Code: {name}. Error Number: {number}. Error Message: {message}."
    return Refused(number, [f"Program log: AnchorError caused by account: {account}. {text}"])


def _in_use(address: str) -> Refused:
    return Refused(
        0,
        [
            f"Program {SYSTEM_PROGRAM} invoke [2]",
            f"Allocate: account Address {{ address: {address}, base: None }} already in use",
            f"Program {SYSTEM_PROGRAM} failed: custom program error: 0x0",
        ],
    )


def _program(ledger: Ledger, call: Call, calls: list[Call], index: int, now: int, build: str) -> None:
    a, args = call.accounts, call.args
    if call.name in ("claim_grant", "claim_grant_with_proof"):
        _claim(ledger, call, calls, index, now, build)
    elif call.name == "upsert_pop_config":
        ledger.configs[a["pop_config"]] = PopConfig(a["authority"], args["signer_pubkey"], 255)
    elif call.name == "create_grant":
        if build == "head" and a["grant"] in ledger.grants:
            raise _in_use(a["grant"])
        ledger.grants[a["grant"]] = Grant(
            authority=a["authority"], mint=a["mint"], vault=a["vault"], merkle_root=GENESIS, paused=False, bump=255, **args
        )
        ledger.tokens.setdefault(a["vault"], TokenAccount(a["mint"], a["grant"], 0))
    elif call.name == "fund_grant":
        _move(ledger, a["from_ata"], a["vault"], args["amount"])
    elif call.name == "set_paused":
        ledger.grants[a["grant"]] = replace(ledger.grants[a["grant"]], paused=args["paused"])
    elif call.name == "set_allowlist_root":
        ledger.grants[a["grant"]] = replace(ledger.grants[a["grant"]], merkle_root=args["merkle_root"])
    elif call.name == "update_grant":
        ledger.grants[a["grant"]] = replace(ledger.grants[a["grant"]], **args)
    elif call.name == "close_grant":
        vault = ledger.tokens[a["vault"]]
        _move(ledger, a["vault"], a["authority_ata"], vault.amount)
        del ledger.tokens[a["vault"]], ledger.grants[a["grant"]]
    else:
        raise AssertionError(call.name)


def _move(ledger: Ledger, source: str, target: str, amount: int) -> None:
    ledger.tokens[source] = replace(ledger.tokens[source], amount=ledger.tokens[source].amount - amount)
    ledger.tokens[target] = replace(ledger.tokens[target], amount=ledger.tokens[target].amount + amount)


def _claim(ledger: Ledger, call: Call, calls: list[Call], index: int, now: int, build: str) -> None:
    a, period = call.accounts, call.args["period_index"]
    nine = "pop_state" not in a
    if build == "pre_pop" and not nine:
        raise _caused("token_program", "InvalidProgramId")
    grant = ledger.grants.get(a["grant"])
    if grant is None:
        raise _caused("grant", "AccountNotInitialized")
    if a["claimer_ata"] not in ledger.tokens:
        raise _caused("claimer_ata", "AccountNotInitialized")
    if build != "pre_pop" and nine:
        raise _caused("pop_config", "AccountOwnedByWrongProgram")
    if build != "pre_pop" and a["pop_config"] not in ledger.configs:
        raise _caused("pop_config", "AccountNotInitialized")
    if a["receipt"] in ledger.receipts:
        raise _in_use(a["receipt"])
    if grant.paused:
        raise _thrown(build, "Paused")
    _check_allowlist(grant, call, build)
    state = None
    if build != "pre_pop":
        state = _check_proof(ledger, call, calls, index, now, build)
    if grant.expires_at and now > grant.expires_at:
        raise _thrown(build, "GrantExpired")
    if now < grant.start_ts:
        raise _thrown(build, "GrantNotStarted")
    if period != (now - grant.start_ts) // grant.period_seconds:
        raise _thrown(build, "InvalidPeriodIndex")
    if ledger.tokens[grant.vault].amount < grant.amount_per_period:
        raise _thrown(build, "InsufficientFunds")
    _move(ledger, grant.vault, a["claimer_ata"], grant.amount_per_period)
    ledger.receipts[a["receipt"]] = ClaimReceipt(a["grant"], a["claimer"], period, now)
    if state is not None:
        ledger.states[a["pop_state"]] = state


def _check_allowlist(grant: Grant, call: Call, build: str) -> None:
    enabled = grant.merkle_root != GENESIS
    if call.name == "claim_grant":
        if enabled:
            raise _thrown(build, "AllowlistRequired")
        return
    if not enabled:
        raise _thrown(build, "AllowlistNotEnabled")
    node = sha256(b"we-ne:allowlist" + bytes(Pubkey.from_string(call.accounts["claimer"]))).digest()
    for sibling in call.args["proof"]:
        node = sha256(min(node, sibling) + max(node, sibling)).digest()
    if node.hex() != grant.merkle_root:
        raise _thrown(build, "NotInAllowlist")


def _check_proof(ledger: Ledger, call: Call, calls: list[Call], index: int, now: int, build: str) -> PopState:
    """The PoP part of a claim; returns the PopState that an accepted claim leaves."""
    a = call.accounts
    if index == 0:
        raise _thrown(build, "MissingPopSignatureInstruction")
    if calls[index - 1].program != ED25519_PROGRAM:
        raise _thrown(build, "InvalidPopSignatureProgram")
    data = calls[index - 1].data
    key_at, message_at, size = (int.from_bytes(data[at : at + 2], "little") for at in (6, 10, 12))
    if str(Pubkey(data[key_at : key_at + 32])) != ledger.configs[a["pop_config"]].signer_pubkey:
        raise _thrown(build, "InvalidPopSigner")
    m = data[message_at : message_at + size]
    assert m[0] == 2, "the simulation issues version 2 alone"
    assert len(m) == 209
    grant, claimer = str(Pubkey(m[1:33])), str(Pubkey(m[33:65]))
    period, issued_at = int.from_bytes(m[65:73], "little"), int.from_bytes(m[201:209], "little", signed=True)
    prev, stream, entry = m[73:105], m[105:137], m[169:201]
    if grant != a["grant"]:
        raise _thrown(build, "PopProofGrantMismatch")
    if claimer != a["claimer"]:
        raise _thrown(build, "PopProofClaimerMismatch")
    if period != call.args["period_index"]:
        raise _thrown(build, "PopProofPeriodMismatch")
    preimage = b"we-ne:pop:v2" + prev + stream + m[137:169] + m[1:65] + m[65:73] + m[201:209]
    if sha256(preimage).digest() != entry:
        raise _thrown(build, "PopEntryHashMismatch")
    if abs(now - issued_at) > 600:
        raise _thrown(build, "PopProofExpired")
    old = ledger.states.get(a["pop_state"])
    if build in ("strict", "strict_v2"):
        if old is not None and old.last_global_hash != prev.hex():
            raise _thrown(build, "PopHashChainBroken")
        if old is not None and old.last_stream_hash != stream.hex():
            raise _thrown(build, "PopStreamChainBroken")
        if old is None and (prev.hex() != GENESIS or stream.hex() != GENESIS):
            raise _thrown(build, "PopGenesisMismatch")
    elif old is not None and issued_at < old.last_issued_at:
        return old
    return PopState(grant, entry.hex(), entry.hex(), period, issued_at, True, 255)
