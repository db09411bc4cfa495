"""The addresses of popkit.protocol.pda for the one program that the tests' worlds and recordings
run.
"""

from __future__ import annotations

from functools import partial

from popkit.protocol import pda
from popkit.protocol.keys import PROGRAM_ID
from popkit.protocol.pda import associated_token_address, receipt_address_bytes

grant_address = partial(pda.grant_address, program=PROGRAM_ID)
vault_address = partial(pda.vault_address, program=PROGRAM_ID)
receipt_address = partial(pda.receipt_address, program=PROGRAM_ID)
pop_config_address = partial(pda.pop_config_address, program=PROGRAM_ID)
pop_state_address = partial(pda.pop_state_address, program=PROGRAM_ID)

__all__ = [
    "associated_token_address", "grant_address", "pop_config_address", "pop_state_address", "receipt_address", "receipt_address_bytes",
    "vault_address",
]  # fmt: skip
