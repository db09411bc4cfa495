"""The worker's key by the calendar: which key signs when, derived independently here."""

from __future__ import annotations

import hmac
from hashlib import sha512

from solders.keypair import Keypair

from popkit.drill.rotation import OFF, Rotation, signer_page
from popkit.drill.world import World, sound

SEED = bytes(range(1, 65))
APRIL = 1775088000  # 2026-04-02T00:00Z, where the reference says that the published configuration changes its key


def derived(seed: bytes, path: str) -> Keypair:
    """SLIP-10 for ed25519, from its definition."""
    both = hmac.new(b"ed25519 seed", seed, sha512).digest()
    for part in path.split("/")[1:]:
        assert part.endswith("'"), "hardened alone"
        number = (int(part[:-1]) | 1 << 31).to_bytes(4, "big")
        both = hmac.new(both[32:], b"\0" + both[:32] + number, sha512).digest()
    return Keypair.from_seed(both[:32])


def test_the_key_changes_at_the_published_midnight() -> None:
    rotation = Rotation(SEED)
    assert [
        rotation.index(at) for at in (rotation.start, APRIL - 1, APRIL, APRIL + 30 * 86400)
    ] == [0, 0, 1, 2]
    assert rotation.next(APRIL - 1) == APRIL
    for at, path in ((APRIL - 1, "m/44'/501'/0'/0'/0'"), (APRIL, "m/44'/501'/1'/0'/0'")):
        assert rotation.path(at) == path
        assert rotation.key(at).pubkey() == derived(SEED, path).pubkey()
    shifted = Rotation(SEED, interval_days=1, start=0, offset=5)
    assert (shifted.index(2 * 86400 + 1), shifted.next(2 * 86400 + 1)) == (7, 3 * 86400)


def test_a_worker_signs_with_the_key_of_the_day_and_a_set_key_ends_it() -> None:
    world: World = sound("relaxed", "D")[0]
    world.worker.rotation = Rotation(SEED)
    before = world.worker.signer
    world.tick(APRIL - world.now)
    assert world.worker.signer == str(derived(SEED, "m/44'/501'/1'/0'/0'").pubkey()) != before
    assert signer_page(world.worker.rotation, world.now)["path"] == "m/44'/501'/1'/0'/0'"
    world.worker.key = world.key("by hand")
    assert world.worker.signer == world.address("by hand")
    assert signer_page(world.worker.rotation, world.now) == {
        "mode": "legacy",
        "path": None,
        "rotation": OFF,
        "legacy": True,
    }
