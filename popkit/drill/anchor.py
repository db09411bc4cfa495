"""What Anchor does around the program's own code: accounts read in its order, errors with its
lines.
"""

from __future__ import annotations

from dataclasses import replace

from popkit.drill.ledger import Account
from popkit.drill.runtime import Context, Failure, Meta
from popkit.protocol.accounts import (
    DISCRIMINATORS,
    Grant,
    PopConfig,
    PopState,
    ProgramAccount,
    encode_account,
)
from popkit.protocol.error_table import FRAMEWORK_ERRORS, PROGRAM_ERRORS
from popkit.protocol.keys import PROGRAM_ID, RENT_SYSVAR, SYSTEM_PROGRAM, TOKEN_PROGRAM

BUILDS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")
SIZES = {Grant: 178, PopConfig: 73, PopState: 122}

_MESSAGES = {
    "InstructionFallbackNotFound": "Fallback functions are not supported",
    "InstructionDidNotDeserialize": "The program could not deserialize the given instruction",
    "ConstraintMut": "A mut constraint was violated",
    "ConstraintSeeds": "A seeds constraint was violated",
    "ConstraintAddress": "An address constraint was violated",
    "AccountDiscriminatorNotFound": "No discriminator was found on the account",
    "AccountDiscriminatorMismatch": "Account discriminator did not match what was expected",
    "AccountDidNotDeserialize": "Failed to deserialize the account",
    "AccountNotEnoughKeys": "Not enough account keys given to the instruction",
    "AccountOwnedByWrongProgram": "The given account is owned by a different program than expected",
    "InvalidProgramId": "Program ID was not as expected",
    "AccountNotSigner": "The given account did not sign",
    "AccountNotSystemOwned": "The given account is not owned by the system program",
    "AccountNotInitialized": "The program expected this account to be already initialized",
    "AccountSysvarMismatch": "The given public key does not match the required sysvar",
}
_FRAMEWORK = {name: number for number, name in FRAMEWORK_ERRORS.items()}

# Lines of lib.rs by build, in the order of BUILDS. Known from the reference and the recordings; 0 where a build never raises it.
# Two numbers of pre_pop (AllowlistNotEnabled, NotInAllowlist) are estimates: nothing recorded shows them. One line stands for
# every way in which a proof's data can be malformed, though each has its own.
LINES: dict[str, tuple[int, int, int, int, int]] = {
    "create: InvalidAmount": (56, 56, 56, 56, 65),
    "create: InvalidPeriod": (57, 57, 57, 57, 66),
    "InvalidStartTs": (62, 62, 62, 62, 71),
    "fund: InvalidAmount": (83, 83, 83, 83, 113),
    "update: InvalidAmount": (0, 0, 0, 0, 100),
    "update: InvalidPeriod": (0, 0, 0, 0, 101),
    "Paused": (94, 105, 105, 105, 135),
    "AllowlistRequired": (96, 107, 107, 107, 137),
    "with proof: Paused": (183, 233, 233, 233, 263),
    "AllowlistNotEnabled": (185, 235, 235, 235, 265),
    "NotInAllowlist": (192, 242, 242, 242, 272),
    "GrantExpired": (472, 565, 565, 565, 610),
    "GrantNotStarted": (475, 568, 568, 568, 613),
    "InvalidPeriodIndex": (483, 576, 576, 576, 621),
    "InsufficientFunds": (496, 589, 589, 589, 634),
    "MissingPopSignatureInstruction": (0, 648, 648, 648, 704),
    "InvalidPopSignatureProgram": (0, 652, 652, 652, 708),
    "InvalidPopSignatureData": (0, 743, 746, 742, 798),
    "InvalidPopSigner": (0, 658, 658, 658, 714),
    "InvalidPopMessageVersion": (0, 779, 782, 778, 834),
    "InvalidPopMessageLength": (0, 788, 791, 787, 843),
    "PopReceiptCommitmentRequired": (0, 0, 665, 665, 721),
    "PopProofGrantMismatch": (0, 664, 669, 669, 725),
    "PopProofClaimerMismatch": (0, 665, 670, 670, 726),
    "PopProofPeriodMismatch": (0, 669, 674, 674, 730),
    "PopAuditHashMissing": (0, 675, 679, 679, 735),
    "PopEntryHashMismatch": (0, 691, 694, 694, 750),
    "PopProofExpired": (0, 697, 700, 700, 756),
    "PopHashChainBroken": (0, 702, 705, 0, 0),
    "PopStreamChainBroken": (0, 706, 709, 0, 0),
    "PopGenesisMismatch": (0, 711, 714, 0, 0),
    "stream: PopGenesisMismatch": (0, 712, 715, 0, 0),
}


def _words(name: str, build: str) -> tuple[int, str]:
    """An error's number and the part of its line that Anchor writes for every kind."""
    if name in PROGRAM_ERRORS:
        message, numbers = PROGRAM_ERRORS[name]
        number = numbers["relaxed" if build == "head" else build]
    else:
        number, message = _FRAMEWORK[name], _MESSAGES[name]
    return number, f"Error Code: {name}. Error Number: {number}. Error Message: {message}."


def thrown(build: str, where: str) -> Failure:
    """A `require!` of the program; `where` is a row of LINES."""
    number, words = _words(where.rpartition(": ")[2], build)
    line = LINES[where][BUILDS.index(build)]
    return Failure(
        number,
        f"Program log: AnchorError thrown in programs/grant_program/src/lib.rs:{line}. {words}",
    )


def occurred(build: str, name: str) -> Failure:
    """An error of Anchor's that has no place."""
    number, words = _words(name, build)
    return Failure(number, f"Program log: AnchorError occurred. {words}")


def caused(
    build: str, account: str, name: str, left: str | None = None, right: str | None = None
) -> Failure:
    """An error of one account, with the two keys that differ where Anchor shows them."""
    number, words = _words(name, build)
    lines = [f"Program log: AnchorError caused by account: {account}. {words}"]
    if left is not None:
        lines += [
            "Program log: Left:",
            f"Program log: {left}",
            "Program log: Right:",
            f"Program log: {right}",
        ]
    return Failure(number, *lines)


class Accounts:
    """The accounts of one instruction by name, read as Anchor reads them."""

    def __init__(
        self, context: Context, build: str, names: tuple[str, ...], metas: tuple[Meta, ...]
    ) -> None:
        if len(metas) < len(names):
            raise occurred(build, "AccountNotEnoughKeys")
        self.context, self.build = context, build
        self.metas = dict(zip(names, metas, strict=False))

    def __getitem__(self, name: str) -> str:
        return self.metas[name].key

    def __contains__(self, name: str) -> bool:
        return name in self.metas

    def held(self, name: str) -> Account:
        return self.context.get(self[name])

    def fail(
        self, account: str, error: str, left: str | None = None, right: str | None = None
    ) -> Failure:
        return caused(self.build, account, error, left, right)

    def owned(self, name: str, owner: str) -> Account:
        """An account that must exist and belong to a program."""
        held = self.held(name)
        if held.owner == SYSTEM_PROGRAM and held.lamports == 0:
            raise self.fail(name, "AccountNotInitialized")
        if held.owner != owner:
            raise self.fail(name, "AccountOwnedByWrongProgram", held.owner, owner)
        return held

    def program_account(self, name: str, kind: type) -> bytes:
        """The bytes of an account of the program, of that type."""
        data = self.owned(name, PROGRAM_ID).data
        if len(data) < 8:
            raise self.fail(name, "AccountDiscriminatorNotFound")
        if data[:8] != DISCRIMINATORS[kind]:
            raise self.fail(name, "AccountDiscriminatorMismatch")
        if len(data) < SIZES[kind]:
            raise self.fail(name, "AccountDidNotDeserialize")
        return data

    def mint(self, name: str = "mint") -> bytes:
        return self._unpacked(name, 82, 45)

    def token_account(self, name: str) -> bytes:
        return self._unpacked(name, 165, 108)

    def _unpacked(self, name: str, size: int, state_at: int) -> bytes:
        """A mint or token account. The SPL library's own refusals are no numbers of Anchor's."""
        data = self.owned(name, TOKEN_PROGRAM).data
        if len(data) != size:
            text = "Error Code: InvalidAccountData. Error Number: 17179869184. Error Message: An account's data contents was invalid."
            raise Failure(
                "InvalidAccountData", f"Program log: ProgramError caused by account: {name}. {text}"
            )
        if data[state_at] == 0:
            text = "Error Code: UninitializedAccount. Error Number: 42949672960. Error Message: An attempt to operate on an account that"
            raise Failure(
                "UninitializedAccount",
                f"Program log: ProgramError caused by account: {name}. {text} hasn't been "
                f"initialized.",
            )
        return data

    def signer(self, name: str) -> None:
        if not self.metas[name].is_signer:
            raise self.fail(name, "AccountNotSigner")

    def system_account(self, name: str) -> None:
        if self.held(name).owner != SYSTEM_PROGRAM:
            raise self.fail(name, "AccountNotSystemOwned")

    def programs(self, *names: str) -> None:
        """The fixed programs and sysvars, in the order of the accounts."""
        for name in names:
            if name == "rent":
                if self[name] != RENT_SYSVAR:
                    raise self.fail(name, "AccountSysvarMismatch")
                continue
            expected = TOKEN_PROGRAM if name == "token_program" else SYSTEM_PROGRAM
            if self[name] != expected:
                raise self.fail(name, "InvalidProgramId", self[name], expected)

    def seeds(self, name: str, expected: str | None) -> None:
        """Hold an account to its derived address; None where the seeds lead to none, which Anchor
        says without keys.
        """
        if expected is None:
            raise self.fail(name, "ConstraintSeeds")
        if self[name] != expected:
            raise self.fail(name, "ConstraintSeeds", self[name], expected)

    def mutable(self, name: str) -> None:
        if not self.metas[name].is_writable:
            raise self.fail(name, "ConstraintMut")

    def write(self, name: str, value: ProgramAccount) -> None:
        """Write an account back, as Anchor does at the end."""
        self.context.put(self[name], replace(self.held(name), data=encode_account(value)))
