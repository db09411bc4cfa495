"""Whose error a number is: recorded refusals, missing and cut logs, and logs that lie."""

from __future__ import annotations

from typing import Any

import pytest

from popkit.protocol import keys
from popkit.protocol.errors import (
    CHAIN_RULE_ERRORS,
    ERAS,
    FRAMEWORK_ERRORS,
    PROGRAM_ERRORS,
    TransactionFailure,
    names_of,
)
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, TOKEN_PROGRAM
from popkit.protocol.transaction import decode_result
from tests.protocol import support as ref
from tests.protocol.support import read_failure, read_logged_failure

OTHER = ref.AUTHORITY
EVERY_ERA = frozenset(ERAS)
POP_ERAS = EVERY_ERA - {"pre_pop"}
BROKEN_LINE = (
    "Program log: AnchorError thrown in programs/grant_program/src/lib.rs:702. "
    "Error Code: PopHashChainBroken. Error Number: 6026. Error Message: PoP hash chain continuity "
    "is broken."
)
LAYER_OF_NONE_NAMED = {
    "the same student and period again": "system",
    "create_grant for an id already used, other terms": "system",
    "fund more than one has": "token",
    "ed25519 signature wrong": "precompile",
}


def invoke(program: str, depth: int = 1) -> str:
    return f"Program {program} invoke [{depth}]"


def failed(program: str, code: int) -> str:
    return f"Program {program} failed: custom program error: {code:#x}"


def custom(code: int, index: int = 0) -> dict[str, Any]:
    return {"InstructionError": [index, {"Custom": code}]}


def read(
    err: object, logs: list[str] | None, *programs: str, era: str | None = None
) -> TransactionFailure:
    found = read_failure(err, logs, programs or (PROGRAM_ID,), era)
    assert found is not None
    return found


def test_the_table() -> None:
    assert [
        len({n for n in (row[1].get(era) for row in PROGRAM_ERRORS.values()) if n}) for era in ERAS
    ] == [
        14,
        31,
        32,
        32,
    ]
    for era in ERAS:
        numbers = sorted(row[1][era] for row in PROGRAM_ERRORS.values() if era in row[1])
        assert numbers == list(range(6000, 6000 + len(numbers)))
    assert set(PROGRAM_ERRORS) >= CHAIN_RULE_ERRORS
    assert PROGRAM_ERRORS["PopProofExpired"] == ("PoP proof expired", dict.fromkeys(ERAS[1:], 6024))


def test_names_of() -> None:
    assert set(names_of(6030, None)) == {"PopReceiptCommitmentRequired", "PopAuditHashMissing"}
    assert names_of(6030, "strict") == ("PopAuditHashMissing",)
    assert names_of(6030, "strict_v2") == ("PopReceiptCommitmentRequired",)
    assert names_of(6031, None) == ("PopAuditHashMissing",)
    assert names_of(6031, "strict") == ()
    assert names_of(6014, "pre_pop") == ()
    assert names_of(3012, "strict") == ("AccountNotInitialized",)
    assert names_of(9999, None) == ()
    with pytest.raises(ValueError, match="got 'lenient'"):
        names_of(6000, "lenient")


@pytest.mark.parametrize(
    "row", ref.refusals(), ids=[f"{row['era']}: {row['what']}" for row in ref.refusals()]
)
def test_recorded_refusals(row: dict[str, Any]) -> None:
    tx = decode_result(row["result"])
    programs = [instruction.program for instruction in tx.instructions]
    logs = row["result"]["meta"]["logMessages"]
    assert row["result"]["meta"]["err"] == row["err"]
    for era in (None, ref.rules_of(row)):
        found = read_failure(row["err"], logs, programs, era)
        if row["err"] is None:
            assert found is None
            continue
        assert found is not None
        assert found.error == row["error_name"]
        assert [found.instruction_index, {"Custom": found.code}] == row["err"]["InstructionError"]
        assert ref.rules_of(row) in found.eras
        expected = LAYER_OF_NONE_NAMED.get(
            row["what"], "anchor" if found.code < 6000 else "program"
        )
        assert found.layer == expected
        assert found.source == ("number" if expected == "precompile" else "log")
        assert read_logged_failure(logs) == (
            None if expected == "precompile" else found_without_index(found)
        )


def found_without_index(found: TransactionFailure) -> TransactionFailure:
    return TransactionFailure(
        found.error, found.layer, found.code, None, found.program, found.eras, found.source
    )


@pytest.mark.parametrize("era", ref.REFUSAL_FILES)
def test_recorded_refusals_without_their_logs(era: str) -> None:
    for row in ref.refusals():
        if row["era"] != era or row["err"] is None:
            continue
        programs = [
            instruction.program for instruction in decode_result(row["result"]).instructions
        ]
        found = read(row["err"], None, *programs, era=ref.rules_of(row))
        assert found.error == row["error_name"]
        assert found.source == "number"
        if found.code == 1:
            assert (found.layer, found.program) == ("unknown", None)
        elif found.code == 0:
            assert (found.layer, found.program) == ("system", SYSTEM_PROGRAM)


def test_accepted_oddities_are_recorded_as_accepted() -> None:
    accepted = {(row["era"], row["what"]) for row in ref.refusals() if row["err"] is None}
    assert ("strict", "message v1") in accepted
    assert ("strict_v2", "message v1") not in accepted
    assert ("relaxed", "prev_hash is not the head") in accepted
    assert ("strict", "prev_hash is not the head") not in accepted
    for era in ("strict", "strict_v2", "relaxed"):
        assert (era, "create_grant for an id already used, other terms") in accepted
        assert (era, "issued 600 s ago") in accepted
    assert ("head", "create_grant for an id already used, other terms") not in accepted


def test_client_reports() -> None:
    seen = set()
    for _, report in ref.case_lines("client/errors.jsonl*"):
        found = read_logged_failure(report["logs"], report["message"])
        by_message = read_logged_failure([], report["message"])
        if not report["logs"]:
            assert found is None, report["message"]
            continue
        assert found is not None
        assert by_message is not None
        assert found.source == "log"
        assert found.instruction_index == by_message.instruction_index is not None
        assert found.code == by_message.code
        if found.layer == "program":
            assert by_message.error == found.error
            assert found.eras <= by_message.eras
        seen.add(found.error)
    assert {"PopHashChainBroken", "PopGenesisMismatch", "InvalidPopSigner", "Custom(0)"} <= seen


@pytest.mark.parametrize(
    ("message", "error", "code", "index"),
    [
        ("Error processing Instruction 4: custom program error: 0x178a", "PopHashChainBroken", 6026, 4),
        ("Transaction simulation failed: Error processing Instruction 2: custom program error: "
         "0x178e",
         "Custom(6030)", 6030, 2),
        ('Transaction failed: {"InstructionError":[2,{"Custom":6018}]}', "InvalidPopSigner", 6018, None),
        ("Custom program error: #6024 (instruction #3)", "PopProofExpired", 6024, None),
        ("Error processing Instruction 1: custom program error: 0x0", "Custom(0)", 0, 1),
        (BROKEN_LINE.removeprefix("Program log: "), "PopHashChainBroken", 6026, None),
    ],
)  # fmt: skip
def test_a_message_alone(message: str, error: str, code: int, index: int | None) -> None:
    found = read_logged_failure([], message)
    assert found is not None
    assert (found.error, found.code, found.instruction_index) == (error, code, index)
    assert found.source == "number"
    assert found.layer == ("unknown" if code == 0 else "program")


@pytest.mark.parametrize(
    "message",
    ["", "User rejected the request.", "Network request failed", "Timeout: 0x178a seconds", "6026"],
)
def test_a_message_that_names_no_failure(message: str) -> None:
    assert read_logged_failure([], message) is None


def test_the_log_outweighs_the_message() -> None:
    logs = [invoke(PROGRAM_ID), BROKEN_LINE, failed(PROGRAM_ID, 6026)]
    found = read_logged_failure(
        logs, "Error processing Instruction 2: custom program error: 0x1770"
    )
    assert found is not None
    assert (found.error, found.eras, found.source) == ("PopHashChainBroken", {"strict"}, "log")


def test_success_has_no_failure() -> None:
    assert read_failure(None, [failed(PROGRAM_ID, 6026)], [PROGRAM_ID]) is None


@pytest.mark.parametrize(
    ("line", "eras"),
    [(702, {"strict"}), (705, {"strict_v2"}), (1, {"strict", "strict_v2"})],
)
def test_a_line_of_lib_rs_dates_the_program(line: int, eras: set[str]) -> None:
    logs = [invoke(PROGRAM_ID), BROKEN_LINE.replace(":702.", f":{line}."), failed(PROGRAM_ID, 6026)]
    assert read(custom(6026), logs).eras == eras


def test_eras_of_names_numbers_and_accounts() -> None:
    assert read(custom(6026), None).eras == {"strict", "strict_v2"}
    assert read(custom(6030), None).eras == POP_ERAS
    assert read(custom(6031), None).eras == {"strict_v2", "relaxed"}
    assert read(custom(6031), None, era="strict").error == "PopAuditHashMissing"
    assert read(custom(6007), None).eras == EVERY_ERA
    assert read(custom(0), None).eras == EVERY_ERA
    caused = (
        "Program log: AnchorError caused by account: {}. Error Code: AccountOwnedByWrongProgram. "
        "Error Number: 3007. Error Message: The given account is owned by a different program than "
        "expected."
    )
    for account, eras in (("pop_config", POP_ERAS), ("grant", EVERY_ERA)):
        found = read(
            custom(3007), [invoke(PROGRAM_ID), caused.format(account), failed(PROGRAM_ID, 3007)]
        )
        assert (found.error, found.layer, found.eras) == (
            "AccountOwnedByWrongProgram",
            "anchor",
            eras,
        )


def test_the_name_beats_the_number() -> None:
    line = BROKEN_LINE.replace("6026", "6030").replace("PopHashChainBroken", "PopAuditHashMissing")
    found = read(custom(6030), [invoke(PROGRAM_ID), line, failed(PROGRAM_ID, 6030)], era="relaxed")
    assert (found.error, found.source, found.eras) == ("PopAuditHashMissing", "log", {"strict"})


def test_a_name_for_another_number_is_not_about_this_failure() -> None:
    found = read(custom(6007), [invoke(PROGRAM_ID), BROKEN_LINE, failed(PROGRAM_ID, 6007)])
    assert (found.error, found.source) == ("Paused", "number")


def test_a_line_forged_by_another_program_names_nothing() -> None:
    logs = [invoke(OTHER), BROKEN_LINE, failed(OTHER, 6026)]
    found = read(custom(6026), logs, OTHER)
    assert (found.error, found.layer, found.program) == ("Custom(6026)", "other_program", OTHER)
    assert found.eras == EVERY_ERA


def test_a_line_forged_before_the_claim_does_not_change_the_claim() -> None:
    paused = BROKEN_LINE.replace("PopHashChainBroken", "Paused").replace("6026", "6007")
    logs = [
        invoke(OTHER),
        BROKEN_LINE,
        f"Program log: {failed(PROGRAM_ID, 6026)}",
        f"Program log: x\n{failed(PROGRAM_ID, 6026)}",
        f"Program {OTHER} success",
        invoke(PROGRAM_ID),
        paused,
        failed(PROGRAM_ID, 6007),
    ]
    found = read(custom(6007, 1), logs, OTHER, PROGRAM_ID)
    assert (found.error, found.layer, found.source) == ("Paused", "program", "log")


def test_a_line_of_a_program_called_by_another_is_not_the_callers() -> None:
    logs = [
        invoke(OTHER),
        invoke(PROGRAM_ID, 2),
        BROKEN_LINE,
        f"Program {PROGRAM_ID} success",
        failed(OTHER, 6026),
    ]
    assert read(custom(6026), logs, OTHER).layer == "other_program"
    inner = [
        invoke(OTHER),
        invoke(PROGRAM_ID, 2),
        BROKEN_LINE,
        failed(PROGRAM_ID, 6026),
        failed(OTHER, 6026),
    ]
    found = read(custom(6026), inner, OTHER)
    assert (found.error, found.layer, found.program) == (
        "PopHashChainBroken",
        "program",
        PROGRAM_ID,
    )


def test_an_inner_forgery_under_the_claims_frame_names_nothing() -> None:
    logs = [
        invoke(PROGRAM_ID),
        invoke(OTHER, 2),
        BROKEN_LINE,
        f"Program {OTHER} success",
        failed(PROGRAM_ID, 6026),
    ]
    assert read(custom(6026), logs).source == "number"


@pytest.mark.parametrize(
    ("program", "layer"),
    [
        (SYSTEM_PROGRAM, "system"),
        (TOKEN_PROGRAM, "token"),
        (keys.ATA_PROGRAM, "associated_token"),
        (OTHER, "other_program"),
    ],
)
def test_zero_is_a_double_claim_only_from_the_system_program(program: str, layer: str) -> None:
    logs = [invoke(PROGRAM_ID), invoke(program, 2), failed(program, 0), failed(PROGRAM_ID, 0)]
    found = read(custom(0), logs)
    assert (found.error, found.layer, found.program) == ("Custom(0)", layer, program)
    alone = read(custom(0), [invoke(program), failed(program, 0)], program)
    assert alone.layer == layer


def test_zero_of_the_grant_program_itself_is_nobodys_known_error() -> None:
    found = read(custom(0), [invoke(PROGRAM_ID), failed(PROGRAM_ID, 0)])
    assert (found.error, found.layer) == ("Custom(0)", "unknown")


@pytest.mark.parametrize(
    ("program", "code", "error", "layer"),
    [
        (PROGRAM_ID, 0, "Custom(0)", "system"),
        (PROGRAM_ID, 1, "Custom(1)", "unknown"),
        (PROGRAM_ID, 17, "Custom(17)", "token"),
        (PROGRAM_ID, 6026, "PopHashChainBroken", "program"),
        (PROGRAM_ID, 3012, "AccountNotInitialized", "anchor"),
        (PROGRAM_ID, 6999, "Custom(6999)", "program"),
        (PROGRAM_ID, 500, "Custom(500)", "unknown"),
        (OTHER, 0, "Custom(0)", "other_program"),
        (OTHER, 6026, "Custom(6026)", "other_program"),
        (SYSTEM_PROGRAM, 0, "Custom(0)", "system"),
        (keys.ATA_PROGRAM, 0, "Custom(0)", "unknown"),
        (keys.ED25519_PROGRAM, 0, None, "precompile"),
    ],
)
@pytest.mark.parametrize("logs", [None, [], ["Log truncated"]])
def test_without_a_log_the_number_goes_as_far_as_it_goes(
    logs: list[str] | None, program: str, code: int, error: str | None, layer: str
) -> None:
    found = read(custom(code), logs, program)
    assert (found.error, found.layer, found.code, found.source) == (error, layer, code, "number")


def test_a_cut_log_does_not_mislead() -> None:
    # The system program's own line was cut away: the first "failed" that is left is the outer one.
    cut = [invoke(PROGRAM_ID), "Log truncated", failed(PROGRAM_ID, 1)]
    assert read(custom(1), cut).layer == "unknown"
    assert read(custom(0), [*cut[:2], failed(PROGRAM_ID, 0)]).layer == "system"
    # A lone token line after the cut is the innermost that can be.
    assert (
        read(custom(1), [*cut[:2], failed(TOKEN_PROGRAM, 1), failed(PROGRAM_ID, 1)]).layer
        == "token"
    )
    # Whose frame a line stands in is not known after the cut.
    forged = [invoke(PROGRAM_ID), "Log truncated", BROKEN_LINE, failed(PROGRAM_ID, 6026)]
    assert read(custom(6026), forged).eras == {"strict", "strict_v2"}
    # An outer program's line says nothing about what failed inside it.
    assert read(custom(6026), ["Log truncated", failed(OTHER, 6026)], OTHER).layer == "unknown"


def test_a_log_that_does_not_fit_the_error_is_not_believed() -> None:
    other_code = [invoke(PROGRAM_ID), BROKEN_LINE, failed(PROGRAM_ID, 6026)]
    assert read(custom(6024), other_code).error == "PopProofExpired"
    other_instruction = [invoke(PROGRAM_ID), BROKEN_LINE, failed(PROGRAM_ID, 6026)]
    assert read(custom(6026, 1), other_instruction, PROGRAM_ID, OTHER).layer == "other_program"


def test_a_system_failure_in_the_log_does_not_explain_another_number() -> None:
    logs = [
        invoke(PROGRAM_ID),
        invoke(SYSTEM_PROGRAM, 2),
        failed(SYSTEM_PROGRAM, 0),
        failed(PROGRAM_ID, 0),
    ]
    found = read(custom(6026), logs)
    assert (found.error, found.layer, found.source) == ("PopHashChainBroken", "program", "number")


@pytest.mark.parametrize(
    ("name", "code", "lines"),
    [
        ("Paused", 6007, {94: {"pre_pop"}, 105: POP_ERAS, 135: {"relaxed"}}),
        (
            "InsufficientFunds",
            6001,
            {496: {"pre_pop"}, 589: POP_ERAS, 634: {"relaxed"}, 9: EVERY_ERA},
        ),
        (
            "InvalidPopSigner",
            6018,
            {658: POP_ERAS, 669: {"relaxed"}, 714: {"relaxed"}, 9: POP_ERAS},
        ),
        (
            "PopGenesisMismatch",
            6028,
            {711: {"strict"}, 712: {"strict"}, 714: {"strict_v2"}, 715: {"strict_v2"}},
        ),
        (
            "PopProofGrantMismatch",
            6021,
            {664: {"strict"}, 669: {"strict_v2", "relaxed"}, 725: {"relaxed"}},
        ),
        (
            "PopAuditHashMissing",
            6031,
            {679: {"strict_v2", "relaxed"}, 675: {"strict_v2", "relaxed"}},
        ),
        ("PopAuditHashMissing", 6030, {675: {"strict"}}),
        (
            "PopProofExpired",
            6024,
            {697: {"strict"}, 700: {"strict_v2", "relaxed"}, 711: {"relaxed"}},
        ),
    ],
)
def test_lines_of_the_reference(name: str, code: int, lines: dict[int, set[str]]) -> None:
    for line, eras in lines.items():
        said = (
            BROKEN_LINE.replace("PopHashChainBroken", name)
            .replace("6026", str(code))
            .replace(":702.", f":{line}.")
        )
        found = read(custom(code), [invoke(PROGRAM_ID), said, failed(PROGRAM_ID, code)])
        assert (found.error, found.eras) == (name, eras), line


def test_errors_without_a_number() -> None:
    found = read("BlockhashNotFound", None)
    assert (found.error, found.layer, found.instruction_index) == (
        "BlockhashNotFound",
        "runtime",
        None,
    )
    found = read({"InsufficientFundsForRent": {"account_index": 0}}, None)
    assert (found.error, found.layer) == ("InsufficientFundsForRent", "runtime")
    logs = [
        invoke(PROGRAM_ID),
        f"Program {PROGRAM_ID} failed: invalid account data for instruction",
    ]
    found = read({"InstructionError": [2, "InvalidAccountData"]}, logs, OTHER, OTHER, PROGRAM_ID)
    assert (found.error, found.layer, found.instruction_index) == (
        "InvalidAccountData",
        "runtime",
        2,
    )
    logs = [
        invoke(keys.ATA_PROGRAM),
        f"Program {keys.ATA_PROGRAM} failed: Provided owner is not allowed",
    ]
    found = read({"InstructionError": [0, "IllegalOwner"]}, logs, keys.ATA_PROGRAM)
    assert (found.error, found.layer) == ("IllegalOwner", "associated_token")
    reported = read_logged_failure(logs)
    assert reported is not None
    assert reported.error == "IllegalOwner"
    found = read({"InstructionError": [0, {"BorshIoError": "Unknown"}]}, None)
    assert found.error == "BorshIoError"


@pytest.mark.parametrize(
    "err",
    [
        {},
        [],
        7,
        True,
        {"InstructionError": []},
        {"InstructionError": ["0", {"Custom": 1}]},
        {"a": 1, "b": 2},
    ],
)
def test_an_error_of_no_known_shape_is_a_failure_all_the_same(err: object) -> None:
    assert (read(err, None).error, read(err, None).layer) == (None, "unknown")


def test_an_index_beyond_the_instructions_names_no_program() -> None:
    found = read(custom(6026, 9), None)
    assert (found.error, found.layer, found.program) == ("Custom(6026)", "unknown", None)


def test_framework_names_are_anchors_numbers() -> None:
    assert FRAMEWORK_ERRORS[101] == "InstructionFallbackNotFound"
    assert FRAMEWORK_ERRORS[2019] == "ConstraintSpace"
    assert FRAMEWORK_ERRORS[4100] == "DeclaredProgramIdMismatch"
    assert not set(FRAMEWORK_ERRORS) & {
        row[1][era] for row in PROGRAM_ERRORS.values() for era in row[1]
    }
