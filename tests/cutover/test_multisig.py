"""A vault's proposal: exported for its own tool, read back from its account, and refused where it
is anything else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from solders.pubkey import Pubkey

from popkit.cutover.errors import Stopped
from popkit.cutover.planning.stepping import instruction_of
from popkit.cutover.resolving import read_proposal as proposal_screen
from popkit.cutover.run import create_run
from popkit.cutover.sending import transactions
from popkit.cutover.sending.multisig import SQUADS_PROGRAM, export, read_proposal, readback
from popkit.cutover.sending.transactions import Call, GrantPlace
from popkit.drill.cutover import rehearsing
from popkit.drill.ledger import Account
from popkit.protocol.instructions import AccountMeta
from popkit.protocol.keys import PROGRAM_ID, SYSTEM_PROGRAM, b58encode, key_bytes
from popkit.texts import LANGUAGES
from tests.calling import called
from tests.cutover.nights import reopened
from tests.cutover.test_transactions import MINT, TERMS

# A vault transaction on mainnet (an upgrade of a program by vault 0), as its account holds it.
ON_MAINNET = "ASwDJP5mzxV1dfov2eQz5WAVEy833nwK17VLcjsrZsZf"
ACCOUNT = base64.b64decode(
    "qPqiZFEOos+fErS/xkrbJRCvXG3UbwrUsJlVxCt0e4xgzjQyewfzMULyaPFkYPsCiNMe9FN//udpL5PwKAM/1qdskrvY+9nLCAAAAAAAAAD/AP8AAAAAAQEECAAAANCj"
    "HLRKvgiq2AoZK5QSGOfYj5bTGybeyAspA1+XDrVyM90v0fImaE0NQYcSinPuk++6GJEe5cKJZ4w9p0mAYgkJKhPulcQcugimf1rGfo334doRYl4dZBN/j08jgwN/FDCu"
    "Vi3sTsjyvqU+oP8oI/e92Q78flUtkwuKGo3ug/s7V4efG9ifzqH+b9ldMvB714n0oZVW1d6xudyfhcoWP+0CqPaRToihsOIQFT73Y64rAMK5PRbBJNLAU3oQBIAAAAan"
    "1RcZLFxRIYzJTD1K8X9Y2u4Im6H9ROPb2YoAAAAABqfVFxjHdMkoVmOYaR1etoteuKObS21cc1VbIQAAAAABAAAABQcAAAABAgMEBgcABAAAAAMAAAAAAAAA"
)

MULTISIG, CREATOR = b58encode(b"\5" * 32), b58encode(b"\6" * 32)


def derived(*seeds: bytes) -> tuple[str, int]:
    address, bump = Pubkey.find_program_address(
        [b"multisig", key_bytes(MULTISIG), *seeds], Pubkey.from_string(SQUADS_PROGRAM)
    )
    return str(address), bump


VAULT, VAULT_BUMP = derived(b"vault", b"\1")
ADDRESS, BUMP = derived(b"transaction", (7).to_bytes(8, "little"))
PLACE = GrantPlace(PROGRAM_ID, VAULT, MINT, 77)
CALLS = [
    transactions.set_paused(GrantPlace(PROGRAM_ID, VAULT, MINT, 76)),
    transactions.create_grant(PLACE, **TERMS),
    transactions.fund_grant(PLACE, 2**60),
    transactions.upsert_pop_config(PROGRAM_ID, VAULT, MINT),
]


def vector(*items: bytes) -> bytes:
    return len(items).to_bytes(4, "little") + b"".join(items)


def text(data: bytes) -> bytes:
    return len(data).to_bytes(4, "little") + data


def proposed(
    calls: list[Call] = CALLS,
    vault: str = VAULT,
    *,
    bumps: tuple[int, int] = (BUMP, VAULT_BUMP),
    ephemeral: bytes = b"",
    tables: bytes = bytes(4),
    more_keys: tuple[str, ...] = (),
) -> bytes:
    """The account as Squads' own tool would have it made of these calls, the vault paying."""
    metas = [AccountMeta(vault, True, True), *(meta for call in calls for meta in call.metas)]
    metas += [
        AccountMeta(key, False, False) for key in (*(call.program for call in calls), *more_keys)
    ]
    flags = {key: (any(m.is_signer for m in metas if m.pubkey == key), any(m.is_writable for m in metas if m.pubkey == key))
             for key in dict.fromkeys(meta.pubkey for meta in metas)}  # fmt: skip
    keys = sorted(flags, key=lambda key: (not flags[key][0], not flags[key][1]))
    wanted = ((True, True), (True, False), (False, True))
    both, readonly, others = (
        sum(1 for found in flags.values() if found == kind) for kind in wanted
    )
    counts = [both + readonly, both, others]
    instructions = [
        bytes([keys.index(call.program)])
        + text(bytes(keys.index(meta.pubkey) for meta in call.metas))
        + text(call.data)
        for call in calls
    ]
    head = (
        bytes.fromhex("a8faa264510ea2cf")
        + key_bytes(MULTISIG)
        + key_bytes(CREATOR)
        + (7).to_bytes(8, "little")
    )
    message = bytes(counts) + vector(*map(key_bytes, keys)) + vector(*instructions) + tables
    return head + bytes([bumps[0], 1, bumps[1]]) + text(ephemeral) + message


def test_a_real_account_is_read_to_its_last_byte() -> None:
    read = read_proposal(ACCOUNT)
    (call,) = read.calls
    assert read.address == ON_MAINNET
    assert (read.index, read.vault_index, read.unused) == (8, 0, ())
    assert (call.program, call.data) == ("BPFLoaderUpgradeab1e11111111111111111111111", b"\3\0\0\0")
    assert call.metas[-1] == AccountMeta(
        read.vault, True, True
    )  # the upgrade authority is the vault that was derived
    assert [meta.is_writable for meta in call.metas] == [True] * 4 + [False, False, True]


def test_the_intended_proposal_has_no_difference() -> None:
    assert readback(proposed(), CALLS, owner=SQUADS_PROGRAM, address=ADDRESS) == []
    read = read_proposal(proposed())
    assert (read.multisig, read.creator, read.index, read.vault, read.address) == (
        MULTISIG,
        CREATOR,
        7,
        VAULT,
        ADDRESS,
    )


def test_the_export_names_everything_and_is_canonical() -> None:
    found = export(CALLS, VAULT)
    assert json.loads(rfc8785.dumps(found)) == found
    assert [row["name"] for row in found["instructions"]] == [call.name for call in CALLS]
    for row, call in zip(found["instructions"], CALLS, strict=True):
        assert base64.b64decode(row["data"]) == call.data
        assert [(a["pubkey"], a["signer"], a["writable"]) for a in row["accounts"]] == list(
            call.metas
        )
        assert {a["name"] for a in row["accounts"]} >= {"authority"}
    assert found["instructions"][2]["args"] == {"amount": str(2**60)}
    assert "".join(found["read_aloud"]) == found["sha256"]
    assert export(CALLS[::-1], VAULT)["sha256"] != found["sha256"]


def test_a_marker_and_a_token_account_can_be_proposed() -> None:
    calls = [
        transactions.marker(VAULT, "ab" * 16, 890_880),
        transactions.create_token_account(VAULT, VAULT, MINT),
    ]
    assert [row["name"] for row in export(calls, VAULT)["instructions"]] == [
        "marker",
        "create_token_account",
    ]
    assert readback(proposed(calls), calls) == []


@pytest.mark.parametrize(
    "call",
    [
        transactions.fund_grant(PLACE, 5, funder=CREATOR),
        transactions.proof(CREATOR, bytes(64), b"message"),
        transactions.budget(1000, None)[0],
    ],
)
def test_what_a_vault_cannot_do_alone_is_not_exported(call: Call) -> None:
    with pytest.raises(Stopped) as caught:
        export([call], VAULT)
    assert caught.value.code == "not_for_a_vault"


FLAGS = tuple(AccountMeta(meta.pubkey, meta.is_signer, True) for meta in CALLS[0].metas)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (proposed(CALLS[:-1]), "holds 3 instructions; 4 were intended"),
        (
            proposed([*CALLS, transactions.close_grant(PLACE)]),
            "holds 5 instructions; 4 were intended",
        ),
        (proposed([CALLS[1], CALLS[0], *CALLS[2:]]), "Instruction 0 (set_paused)"),
        (
            proposed([*CALLS[:2], transactions.fund_grant(PLACE, 2**60 + 1), CALLS[3]]),
            "(fund_grant), data",
        ),
        (
            proposed([replace(CALLS[0], program=SYSTEM_PROGRAM), *CALLS[1:]]),
            "(set_paused), program",
        ),
        (proposed([replace(CALLS[0], metas=FLAGS), *CALLS[1:]]), "(set_paused), account 1"),
        (
            proposed([replace(CALLS[0], metas=(*CALLS[0].metas, CALLS[0].metas[0])), *CALLS[1:]]),
            "(set_paused), accounts",
        ),
        (proposed(more_keys=(CREATOR,)), "which no instruction uses"),
        (proposed(bumps=(BUMP - 1, VAULT_BUMP)), "address is not that of this proposal"),
    ],
)
def test_another_proposal_is_named(data: bytes, words: str) -> None:
    rows = readback(data, CALLS)
    assert any(words in str(row) for row in rows), rows
    assert all(row.in_language("ja") != row.in_language("en") for row in rows)


def test_another_vault_owner_or_address_is_named() -> None:
    other = GrantPlace(PROGRAM_ID, CREATOR, MINT, 77)
    assert any(
        "signed by" in str(row) for row in readback(proposed(), [transactions.set_paused(other)])
    )
    assert any("belongs to" in str(row) for row in readback(proposed(), CALLS, owner=PROGRAM_ID))
    assert any("address" in str(row) for row in readback(proposed(), CALLS, address=ON_MAINNET))


def test_a_proposal_is_read_back_from_an_account_of_squads_at_its_own_address(
    tmp_path: Path,
) -> None:
    """The right bytes prove nothing where another program owns them, or where they lie elsewhere."""
    with rehearsing("abandoned-proof", "strict") as held, held.plan() as made:
        wanted = [instruction_of(call, PROGRAM_ID) for call in CALLS]
        steps = [
            structs.replace(step, instructions=wanted) if step.id == "2" else step
            for step in made.plan.steps
        ]
        root = create_run(
            tmp_path / "a vault's", structs.replace(made.plan, steps=steps), held.local()
        ).root
        accounts = held.stage.world.ledger.accounts
        accounts[ON_MAINNET] = Account(10**7, SQUADS_PROGRAM, proposed())
        for owner, code in ((SQUADS_PROGRAM, 0), (PROGRAM_ID, 1)):
            accounts[ADDRESS] = Account(10**7, owner, proposed())
            held.sleep(30)
            assert called("cutover", "readback", str(root), "2", ADDRESS).returncode == code
        assert called("cutover", "readback", str(root), "2", ON_MAINNET).returncode == 1
        with reopened(root) as run:
            shown = proposal_screen(run, "2", ADDRESS)
            assert f"belongs to {PROGRAM_ID}" in shown.text("en")
            assert f"所有者は Squads v4 ではなく {PROGRAM_ID}" in shown.text("ja")


TABLE = vector(key_bytes(CREATOR) + text(b"\0") + text(b""))


@pytest.mark.parametrize(
    "data",
    [
        b"", bytes(200), bytes.fromhex("5e080423718b8b70") + proposed()[8:], proposed() + b"\0", proposed()[:-1],
        proposed(ephemeral=b"\xff"),
        proposed(tables=TABLE), proposed(bumps=(BUMP, VAULT_BUMP - 1)),
    ],
)  # fmt: skip
def test_what_cannot_be_read_whole_is_refused(data: bytes) -> None:
    with pytest.raises(Stopped) as caught:
        readback(data, CALLS)
    assert caught.value.code == "not_as_intended"
    assert len({caught.value.in_language(language) for language in LANGUAGES}) == len(LANGUAGES)


WHOLE = proposed()
CREATED_BY = range(40, 72)
"""Where the creator stands: whoever proposed it, it is the same proposal."""


@given(st.integers(0, len(WHOLE) - 1).filter(lambda at: at not in CREATED_BY), st.integers(1, 255))
def test_any_byte_changed_is_seen(at: int, change: int) -> None:
    changed = bytearray(WHOLE)
    changed[at] ^= change
    assert _is_seen(lambda: readback(bytes(changed), CALLS, owner=SQUADS_PROGRAM, address=ADDRESS))


def _is_seen(ask: Callable[[], object]) -> bool:
    try:
        return bool(ask())
    except Stopped:
        return True
