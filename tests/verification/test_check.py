"""The stand-alone checker: its arithmetic against other implementations, its answers against
popkit's, and what a changed byte violates.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey
from solders.signature import Signature

from popkit import open_case
from tests.conftest import CASES, NAMES, Copy
from tests.spoil import spoilt
from tests.verification.standalone import CHECK, FILE, numbers, outcome, run

Make = Callable[[str], Copy]
CANNOT_TELL = ("rpc-gap", "rpc-tail-gap")


# ---- independence


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(FILE.read_text())
    names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) if not n.level}
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
    assert names
    assert {name.split(".")[0] for name in names} <= set(sys.stdlib_module_names)
    called = {
        n.func.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }
    assert not called & {"__import__", "exec", "eval"}
    assert "importlib" not in names
    ast.parse(FILE.read_text(), feature_version=(3, 9))


def test_nothing_of_popkit_imports_it() -> None:
    for path in FILE.parents[1].rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert node.module != "popkit.verification.check"
                assert node.module != "popkit.verification" or "check" not in {
                    a.name for a in node.names
                }


# ---- ed25519

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("seed", "key", "message", "signature"), RFC_8032)
def test_vectors_of_rfc_8032(seed: str, key: str, message: str, signature: str) -> None:
    pair = Keypair.from_seed(bytes.fromhex(seed))
    assert (bytes(pair.pubkey()).hex(), bytes(pair.sign_message(bytes.fromhex(message))).hex()) == (
        key,
        signature,
    )
    assert CHECK.is_signed(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message))


def agreed(key: bytes, signature: bytes, message: bytes) -> bool:
    """The answer, after holding it against ed25519-dalek's verify_strict."""
    here: bool = CHECK.is_signed(key, signature, message)
    assert here == Signature.from_bytes(signature).verify(Pubkey.from_bytes(key), message)
    return here


def test_random_messages_and_flipped_bits() -> None:
    rng = random.Random(8032)
    for size in (0, 1, 32, 177, 209, 1000):
        pair = Keypair.from_seed(rng.randbytes(32))
        key, message = bytes(pair.pubkey()), rng.randbytes(size)
        signature = bytes(pair.sign_message(message))
        assert agreed(key, signature, message)
        assert not agreed(key, signature, message + b"\0")
        for _ in range(20):
            bit = rng.randrange(96 * 8)
            both = bytearray(signature + key)
            both[bit // 8] ^= 1 << bit % 8
            assert not agreed(bytes(both[64:]), bytes(both[:64]), message)


def times(scalar: int, point: Any) -> Any:
    """A multiple of a point."""
    total = CHECK.IDENTITY
    while scalar:
        if scalar & 1:
            total = CHECK.add(total, point)
        point, scalar = CHECK.add(point, point), scalar >> 1
    return total


def encoded(point: Any, y_plus: int = 0, sign: int | None = None) -> bytes:
    """A point's encoding; with `y_plus` or `sign` one that is not canonical."""
    inverse = pow(point[2], -1, CHECK.P)
    x, y = point[0] * inverse % CHECK.P, point[1] * inverse % CHECK.P
    number = (y + y_plus) | ((x & 1 if sign is None else sign) << 255)
    return number.to_bytes(32, "little")


def torsion() -> list[Any]:
    """The eight points of small order."""
    for y in range(2, 100):
        point = CHECK.decode_point(y.to_bytes(32, "little"))
        if point is not None:
            eighth = times(CHECK.L, point)
            if not CHECK.is_same(times(4, eighth), CHECK.IDENTITY):
                return [times(i, eighth) for i in range(8)]
    raise AssertionError


SMALL = torsion()
SECRET, NONCE = 0x1234567890ABCDEF << 128 | 77, 0xFEDCBA0987654321 << 130 | 5


def challenge(r: bytes, a: bytes, message: bytes) -> int:
    """k of RFC 8032, before reduction."""
    return int.from_bytes(hashlib.sha512(r + a + message).digest(), "little")


def forged(
    i: int,
    j: int,
    holds: Callable[[int], bool],
    a_enc: bytes | None = None,
    r_enc: bytes | None = None,
) -> tuple[bytes, bytes, bytes]:
    """A = [SECRET]B + T_i and R = [NONCE]B + T_j, signed, with a message whose challenge (mod L)
    satisfies `holds`.
    """
    a = a_enc or encoded(CHECK.add(times(SECRET, CHECK.BASE), SMALL[i]))
    r = r_enc or encoded(CHECK.add(times(NONCE, CHECK.BASE), SMALL[j]))
    for n in range(10_000):
        message = b"message %d" % n
        k = challenge(r, a, message) % CHECK.L
        if holds(k):
            s = ((0 if r_enc else NONCE) + (0 if a_enc else k * SECRET)) % CHECK.L
            return a, r + s.to_bytes(32, "little"), message
    raise AssertionError


def edge_vectors() -> dict[str, tuple[tuple[bytes, bytes, bytes], bool]]:
    """The kinds of "Taming the many EdDSAs" (table 6a), and whether strict verification accepts."""
    always = lambda k: True  # noqa: E731
    zero, order_4 = encoded(CHECK.IDENTITY), next(p for p in SMALL if p[1] % CHECK.P == 0)
    minus_one = next(p for p in SMALL if (p[1] + p[2]) % CHECK.P == 0)
    plain = forged(0, 0, always)
    s = int.from_bytes(plain[1][32:], "little")
    return {
        "0 small A, small R, S = 0": (
            forged(0, 0, lambda k: k % 8 == 0, encoded(SMALL[1]), zero),
            False,
        ),
        "1 small A, R of full order": (
            forged(0, 0, lambda k: k % 8 == 0, a_enc=encoded(SMALL[1])),
            False,
        ),
        "2 A of full order, small R": (forged(0, 0, always, r_enc=zero), False),
        "3 mixed A and R, both equations hold": (forged(1, 3, lambda k: (3 + k) % 8 == 0), True),
        "4 mixed A and R, cofactored alone holds": (
            forged(1, 3, lambda k: (3 + k) % 8 == 1),
            False,
        ),
        "5 mixed A, R of prime order, cofactored alone holds": (
            forged(1, 0, lambda k: k % 8 != 0),
            False,
        ),
        "5b mixed A, R of prime order, k a multiple of 8": (
            forged(1, 0, lambda k: k % 8 == 0),
            True,
        ),
        "5c prime A, mixed R": (forged(0, 1, always), False),
        "6 S + L": (
            (plain[0], plain[1][:32] + (s + CHECK.L).to_bytes(32, "little"), plain[2]),
            False,
        ),
        "7 S far above L": (
            (plain[0], plain[1][:32] + (s + 15 * CHECK.L).to_bytes(32, "little"), plain[2]),
            False,
        ),
        "8 R not canonical: identity with sign": (
            forged(0, 0, always, r_enc=encoded(CHECK.IDENTITY, sign=1)),
            False,
        ),
        "9 R not canonical: y = p + 1": (
            forged(0, 0, always, r_enc=encoded(CHECK.IDENTITY, y_plus=CHECK.P)),
            False,
        ),
        "9b R not canonical: y = p": (
            forged(0, 0, always, r_enc=encoded(order_4, y_plus=CHECK.P)),
            False,
        ),
        "10 A not canonical: identity with sign": (
            forged(0, 0, always, a_enc=encoded(CHECK.IDENTITY, sign=1)),
            False,
        ),
        "11 A not canonical: y = p + 1": (
            forged(0, 0, always, a_enc=encoded(CHECK.IDENTITY, y_plus=CHECK.P)),
            False,
        ),
        "11b A not canonical: -1 with sign": (
            forged(0, 0, lambda k: k % 2 == 0, a_enc=encoded(minus_one, sign=1)),
            False,
        ),
        "a plain one": (plain, True),
    }


EDGES = edge_vectors()


@pytest.mark.parametrize("name", EDGES)
def test_strictness(name: str) -> None:
    vector, accepted = EDGES[name]
    assert agreed(*vector) == accepted


def test_every_small_order_key_and_nonce() -> None:
    for i in range(8):
        for j in range(8):
            a, r = encoded(SMALL[i]), encoded(SMALL[j])
            for n in range(4):
                assert not agreed(a, r + bytes(32), b"%d" % n)


def test_mixed_order_keys_with_every_torsion() -> None:
    accepted = 0
    for i in range(8):
        for j in range(8):
            for residue in (0, 3):
                accepted += agreed(*forged(i, j, lambda k, residue=residue: k % 8 == residue))
    assert 8 <= accepted < 128


# ---- addresses and reading


def test_derived_addresses() -> None:
    rng = random.Random(1)
    for size in range(60):
        program, seeds = (
            rng.randbytes(32),
            [rng.randbytes(rng.randrange(33)) for _ in range(size % 5)],
        )
        assert CHECK.derived_address(program, *seeds) == bytes(
            Pubkey.find_program_address(seeds, Pubkey.from_bytes(program))[0]
        )
    for data in (bytes(32), b"\0\0\1" + bytes(29), rng.randbytes(32)):
        assert CHECK.to_base58(data) == str(Pubkey.from_bytes(data))
        assert CHECK.address(str(Pubkey.from_bytes(data))) == data


def test_the_entry_hashes_of_the_documents() -> None:
    grant = CHECK.address("46raRaXcQ44v17zu3HciddwBAzbKKjakQdHkGY3utBuX")
    audit, issued_at = (
        hashlib.sha256(b"popkit test audit anchor").digest(),
        (1771718400).to_bytes(8, "little"),
    )
    start, end = grant + b"\x15" * 32 + bytes(8 + 64), bytes(32) + issued_at
    v1, v2 = (
        CHECK.read_message(b"", b"", m) for m in (b"\1" + start + end, b"\2" + start + audit + end)
    )
    assert v1.computed_entry == "8a180dd9b939c4371de648a9420c81d8e7097327be20f350d0d9e9ded4135dde"
    assert v2.computed_entry == "d667138f7cbb8b93418d86058861bfd8fb66c752fc189ce129756f7a7f306d95"


# ---- agreement with popkit


@pytest.mark.parametrize("name", NAMES)
def test_it_agrees_with_popkit_on_every_recorded_case(
    name: str, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    path = CASES / name
    if any(path.rglob("*.zst")):  # without the zstd command
        copy = copy_of(name)
        for packed in list(copy.path.rglob("*.zst")):
            inside = packed.relative_to(copy.path).as_posix().removesuffix(".zst")
            copy.write(inside, copy.lines(inside))
        path = copy.seal().path
    code, lines = outcome(path, json.loads(open_case(path).diagnose().dumps()), capsys)
    assert code == (3 if name in CANNOT_TELL else 0), lines
    assert 10 not in numbers(lines, "cannot tell")


@pytest.mark.parametrize("name", ["intact", "rpc-gap", "relaxed-race"])
def test_the_command_line(name: str, tmp_path: Path) -> None:
    findings = tmp_path / "findings.json"
    findings.write_text(open_case(CASES / name).diagnose().dumps())
    ran = run(CASES / name, findings)
    assert ran.returncode == (3 if name in CANNOT_TELL else 0), ran.stdout
    assert ran.stderr == ""
    assert [int(line.split(".")[0]) for line in ran.stdout.splitlines()] == list(range(1, 11))
    if name == "relaxed-race":
        assert re.search(
            r"9\. holds: .*; rules relaxed from slot \d+ on: transaction \w+ and transaction \w+ share",
            ran.stdout,
        )
    if name == "rpc-gap":
        assert "7. cannot tell: a gap: its parent 50c1966b" in ran.stdout


def test_how_to_call_it_is_said_to_whoever_gives_too_little_or_too_much() -> None:
    for args in ([], ["a", "b", "c"]):
        ran = run(*args)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert ran.stderr == f"{CHECK.USAGE}\n"
    asked = run("--help")
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, f"{CHECK.USAGE}\n", "")
    for word in ("CASE", "findings.json", "exit codes"):
        assert word in asked.stdout


def test_wrong_usage(tmp_path: Path) -> None:
    no_cases = [tmp_path], [tmp_path / "\x1b[2J"], ["a" * 300], ["a", "b"]
    for args in (*no_cases, [CASES / "intact", tmp_path / "none.json"], [CASES / "intact", FILE]):
        ran = run(*args)
        assert (ran.returncode, ran.stdout) == (2, "")
        assert "Traceback" not in ran.stderr
        assert "\x1b" not in ran.stderr
        assert len(ran.stderr.splitlines()) == 1


def test_packed_files(copy_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    import gzip

    copy = copy_of("intact")
    plain = copy.path / "rpc" / "transactions.jsonl"
    (copy.path / "rpc" / "transactions.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    assert outcome(copy.seal().path, None, capsys) == (0, [])


def test_a_zst_file_without_the_zstd_command() -> None:
    ran = run(CASES / "term", env={**os.environ, "PATH": ""})
    assert ran.returncode == 3
    assert "there is no zstd command here" in ran.stdout


@pytest.mark.skipif(shutil.which("zstd") is None, reason="there is no zstd command")
def test_a_zst_file_with_the_zstd_command() -> None:
    assert (
        len(CHECK.unpacked(CASES / "term" / "rpc" / "transactions.jsonl.zst").splitlines()) == 590
    )


# ---- what a changed byte violates


def claim_of(name: str, number: int) -> Any:
    """An accepted claim of a recorded case."""
    case = CHECK.Case(CASES / name)
    return case.accepted(case.grants[0])[number]


def edit_wire(copy: Copy, signature: str, edit: Callable[[bytearray], None]) -> None:
    """Change the bytes of one transaction."""

    def change(rows: list[Any]) -> list[Any]:
        for row in rows:
            if row["signature"] == signature:
                wire = bytearray(base64.b64decode(row["result"]["transaction"][0]))
                edit(wire)
                row["result"]["transaction"][0] = base64.b64encode(wire).decode()
        return rows

    copy.change("rpc/transactions.jsonl", change)
    copy.seal()


@pytest.mark.parametrize(
    ("offset", "also"),
    [
        (0, {3}),
        (5, {3, 4, 5}),
        (40, {3, 4, 5}),
        (66, {3, 4, 5}),
        (140, {3, 5}),
        (175, {3, 5}),
        (205, {3, 5, 6}),
    ],
)
def test_a_flipped_byte_in_a_message(
    offset: int, also: set[int], copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, claim = copy_of("intact"), claim_of("intact", 4)

    def flip(wire: bytearray) -> None:
        wire[wire.find(claim.proof.message) + offset] ^= 0x20

    edit_wire(copy, claim.transaction.signature, flip)
    code, lines = outcome(copy.path, json.loads(open_case(copy.path).diagnose().dumps()), capsys)
    assert code == 1
    assert numbers(lines) == {2} | also
    assert all(claim.transaction.signature in line for line in lines if ". violated" in line)
    assert numbers(lines, "cannot tell") == {7, 9}
    assert any(claim.proof.entry in line for line in lines if line.startswith("7."))


def test_a_whole_transaction_signed_again_by_another_wallet(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wallet's key is replaced everywhere and signs; the proof still names the old claimer."""
    copy, claim, thief = copy_of("intact"), claim_of("intact", 4), Keypair.from_seed(b"t" * 32)
    names: list[str] = []

    def steal(wire: bytearray) -> None:
        assert wire[0] == 1
        at = wire.find(claim.claimer, 65)
        wire[at : at + 32] = bytes(thief.pubkey())
        wire[1:65] = bytes(thief.sign_message(bytes(wire[65:])))
        names.append(CHECK.to_base58(bytes(wire[1:65])))

    edit_wire(copy, claim.transaction.signature, steal)
    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        copy.write(
            name, [line.replace(claim.transaction.signature, names[0]) for line in copy.lines(name)]
        )
    code, lines = outcome(copy.seal().path, None, capsys)
    assert code == 1
    assert numbers(lines) == {4, 6}
    assert all(names[0] in line for line in lines if ". violated" in line)


def edit_account(copy: Copy, key: str, offset: int) -> None:
    """Flip a byte of an account."""

    def change(rows: list[Any]) -> list[Any]:
        for row in rows:
            if row["pubkey"] == key:
                data = bytearray(base64.b64decode(row["account"]["data"][0]))
                data[offset] ^= 0x40
                row["account"]["data"][0] = base64.b64encode(data).decode()
        return rows

    copy.change("rpc/accounts.jsonl", change)
    copy.seal()


@pytest.mark.parametrize("offset", [0, 8, 40, 72, 81])
def test_a_flipped_byte_in_a_receipt(
    offset: int, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, claim = copy_of("intact"), claim_of("intact", 4)
    edit_account(copy, CHECK.to_base58(claim.receipt), offset)
    code, lines = outcome(copy.path, None, capsys)
    assert (code, numbers(lines)) == (1, {6})
    assert len(lines) == 1
    assert CHECK.to_base58(claim.receipt) in lines[0]


@pytest.mark.parametrize("offset", [0, 8, 40, 72, 104, 112, 120])
def test_a_flipped_byte_in_pop_state(
    offset: int, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, case = copy_of("intact"), CHECK.Case(CASES / "intact")
    key, _, _ = case.pop_state(case.grants[0])
    edit_account(copy, key, offset)
    code, lines = outcome(copy.path, None, capsys)
    assert (code, numbers(lines)) == (1, {8})
    assert any(key in line for line in lines)


def test_a_flipped_byte_in_any_file(copy_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    copy = copy_of("abandoned-no-worker")
    for name in ("case.json", "rpc/accounts.jsonl", "rpc/signatures.jsonl"):
        path = copy.path / name
        before = path.read_bytes()
        path.write_bytes(before + b"\n")
        code, lines = outcome(copy.path, None, capsys)
        assert code == 1
        kinds = {"manifest": before, "case": before + b"\n"}
        wanted = {
            f"1. violated: {name}: only the {kind} has {hashlib.sha256(held).hexdigest()}  {name}"
            for kind, held in kinds.items()
        }
        assert (len(lines), set(lines)) == (2, wanted)
        path.write_bytes(before)
    (copy.path / "more.txt").write_text("")
    empty = hashlib.sha256(b"").hexdigest()
    assert outcome(copy.path, None, capsys)[1] == [
        f"1. violated: more.txt: only the case has {empty}  more.txt"
    ]
    (copy.path / "more.txt").unlink()
    manifest = copy.path / "manifest-sha256.txt"
    lines = manifest.read_text()
    for row, said in (
        (
            "0" * 64 + "  gone.txt",
            f"1. violated: gone.txt: only the manifest has {'0' * 64}  gone.txt",
        ),
        ("0" * 64 + "  ../up", f"1. violated: ../up: only the manifest has {'0' * 64}  ../up"),
        ("nonsense", "1. violated: : only the manifest has nonsense"),
    ):
        manifest.write_text(f"{lines}{row}\n")
        code, found = outcome(copy.path, None, capsys)
        assert code == 1
        assert said in found[0]
    manifest.unlink()
    assert outcome(copy.path, None, capsys)[0] == 3


def test_a_refused_claim_told_as_accepted(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("abandoned-proof")
    refused: list[str] = []

    def accept(rows: list[Any]) -> list[Any]:
        for row in rows:
            if row["result"]["meta"]["err"] is not None:
                refused.append(row["signature"])
                row["result"]["meta"]["err"] = None
        return rows

    copy.change("rpc/transactions.jsonl", accept)
    code, lines = outcome(copy.seal().path, None, capsys)
    assert code == 1
    assert {2, 6, 8} <= numbers(lines)
    assert all(any(signature in line for line in lines) for signature in refused)


def test_claims_in_another_order(copy_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    copy = copy_of("intact")
    first, second = (claim_of("intact", n).transaction for n in (3, 5))
    slots = {first.signature: second.slot, second.signature: first.slot}

    def swap(rows: list[Any]) -> list[Any]:
        for row in rows:
            target = row.get("result") or row
            target["slot"] = slots.get(row["signature"], target["slot"])
        return rows

    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        copy.change(name, swap)
    code, lines = outcome(copy.seal().path, None, capsys)
    assert (code, numbers(lines)) == (1, {7})


def test_repeated_and_reordered_rows_change_nothing(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("era-upgrade")
    for name in ("rpc/transactions.jsonl", "rpc/accounts.jsonl", "rpc/signatures.jsonl"):
        copy.write(name, (copy.lines(name) * 2)[::-1])
    assert outcome(
        copy.seal().path, json.loads(open_case(CASES / "era-upgrade").diagnose().dumps()), capsys
    ) == (0, [])


@pytest.mark.parametrize("number", [0, 3, -1])
def test_a_claim_left_out(number: int, copy_of: Make, capsys: pytest.CaptureFixture[str]) -> None:
    copy, claim = copy_of("intact"), claim_of("intact", number)
    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        copy.change(
            name,
            lambda rows: [row for row in rows if row["signature"] != claim.transaction.signature],
        )
    code, lines = outcome(
        copy.seal().path, json.loads(open_case(copy.path).diagnose().dumps()), capsys
    )
    assert code == 3
    assert numbers(lines, "cannot tell") == {6, 8 if number == -1 else 7, 9}, (
        "its receipt is there, and its successor or PopState"
    )
    assert CHECK.to_base58(claim.receipt) in lines[0]
    assert claim.proof.entry in lines[1]


def test_a_signer_that_pop_config_does_not_name(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, claim = copy_of("intact"), claim_of("intact", 0)
    config = CHECK.to_base58(claim.config)
    upserts = {
        t.signature
        for t in CHECK.Case(CASES / "intact").transactions
        if any(i.data[:8] == CHECK.UPSERT_POP_CONFIG for i in t.top)
    }
    for name in ("rpc/transactions.jsonl", "rpc/signatures.jsonl"):
        copy.change(name, lambda rows: [row for row in rows if row["signature"] not in upserts])
    assert outcome(copy.seal().path, None, capsys) == (0, [])  # the account still names it
    edit_account(copy, config, 40)
    code, lines = outcome(copy.path, None, capsys)
    assert (code, numbers(lines, "cannot tell")) == (3, {3})


# ---- findings.json


WRONG: dict[str, Callable[[dict[str, Any]], Any]] = {
    "last_good.signature": lambda g: g["last_good"].update(signature="1" * 64),
    "last_good.entry_hash": lambda g: g["last_good"].update(entry_hash=None),
    "last_good.slot": lambda g: g["last_good"].update(slot=g["last_good"]["slot"] + 1),
    "last_good.receipt": lambda g: g.update(last_good=None),
    "heads.on_chain": lambda g: g["heads"].update(on_chain="00" * 32),
    "heads.last_accepted": lambda g: g["heads"].update(last_accepted=None),
    "unseen_entries": lambda g: g.update(unseen_entries=["00" * 32]),
    "forged_transactions": lambda g: g.update(forged_transactions=["1" * 64]),
}


@pytest.mark.parametrize("field", WRONG)
def test_wrong_findings(field: str, capsys: pytest.CaptureFixture[str]) -> None:
    findings = json.loads(open_case(CASES / "unsynced-claims").diagnose().dumps())
    WRONG[field](findings["grants"][0])
    code, lines = outcome(CASES / "unsynced-claims", findings, capsys)
    assert (code, numbers(lines)) == (1, {10})
    assert any(f"violated: {field} is " in line for line in lines)


@pytest.mark.parametrize(
    "findings", [{}, {"case": 1, "grants": 7}, {"grants": [None, {"grant": "x"}, {"grant": ["y"]}]}]
)
def test_findings_of_something_else(findings: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = outcome(CASES / "unused", findings, capsys)
    assert (code, numbers(lines)) == (1, {10})


# ---- malformed input

BAD_ROWS = [
    "not json",
    "[" * 100_000,
    "{}",
    "[]",
    "7",
    '{"signature": "x\\n1. holds — nothing \\ud800", "result": {}}',
    '{"signature": 7, "result": {"slot": 1, "meta": {}, "transaction": ["", "base64"]}}',
    '{"signature": "x", "result": {"slot": 1e999, "meta": {"err": null}, "transaction": ["AQ==", "base64"]}}',
    '{"signature": "x", "result": {"slot": 1, "meta": {"err": null}, "transaction": {"message": {}}}}',
    '{"pubkey": "x", "slot": null, "account": 7}',
]


@pytest.mark.parametrize("row", BAD_ROWS, ids=range(len(BAD_ROWS)))
@pytest.mark.parametrize("name", ["transactions", "accounts", "signatures"])
def test_a_row_that_cannot_be_read(
    name: str, row: str, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("unused")
    copy.write(f"rpc/{name}.jsonl", [*copy.lines(f"rpc/{name}.jsonl"), row])
    code, lines = outcome(copy.seal().path, None, capsys)
    assert code == 3
    assert 2 in numbers(lines, "cannot tell")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        '{"case": 1, "program_id": 2, "grants": []}',
        '{"case": "c", "program_id": "x", "grants": ["y"]}',
    ],
)
def test_a_case_json_that_cannot_be_read(
    text: str, copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_of("unused")
    (copy.path / "case.json").write_text(text)
    assert outcome(copy.seal().path, None, capsys)[0] == 3


def test_a_wire_cut_short_anywhere() -> None:
    lines = (CASES / "many-periods" / "rpc" / "transactions.jsonl").read_text().splitlines()
    row = next(r for r in map(json.loads, lines) if r["result"]["version"] == 0)
    wire = base64.b64decode(row["result"]["transaction"][0])
    assert CHECK.read_transaction(row).genuine
    for size in range(len(wire)):
        row["result"]["transaction"][0] = base64.b64encode(wire[:size]).decode()
        assert isinstance(CHECK.read_transaction(row), CHECK.NotRead)
    row["result"]["transaction"] = [base64.b64encode(wire + b"\0").decode(), "base64"]
    assert CHECK.read_transaction(row) == CHECK.NotRead(
        row["signature"], "ValueError: its wire is malformed"
    )


def test_spoiled_rows_never_end_in_a_traceback(
    copy_of: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    copy, rng = copy_of("rpc-gap"), random.Random(5)
    names = ("transactions", "accounts", "signatures")
    rows = {name: copy.rows(f"rpc/{name}.jsonl") for name in names}
    for _ in range(80):
        name = rng.choice(names)
        at = rng.randrange(len(rows[name]))
        copy.write(
            f"rpc/{name}.jsonl",
            [json.dumps(spoilt(row, rng)) if i == at else row for i, row in enumerate(rows[name])],
        )
        assert outcome(copy.path, None, capsys)[0] == 1
        copy.write(f"rpc/{name}.jsonl", rows[name])
