"""A self-signed certificate for 127.0.0.1, written byte by byte: no tool and no key has to lie in
the repository.
"""

from __future__ import annotations

import base64
from pathlib import Path

from solders.keypair import Keypair

_ED25519 = bytes.fromhex("300506032b6570")
_NAME = bytes.fromhex("3014311230100603550403") + b"\x0c\x09127.0.0.1"


def _der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def _pem(kind: str, der: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(der).decode()}\n-----END {kind}-----\n"


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """Write cert.pem and key.pem, valid from 2020 to 2049; gives their paths."""
    key = Keypair.from_seed(bytes(range(32)))
    public = _der(0x30, _ED25519, _der(0x03, b"\0" + bytes(key.pubkey())))
    valid = _der(0x30, _der(0x17, b"200101000000Z"), _der(0x17, b"491231235959Z"))
    address = _der(0x30, _der(0x87, bytes([127, 0, 0, 1])))
    alternative = _der(0x30, bytes.fromhex("0603551d11"), _der(0x04, address))
    authority = _der(
        0x30, bytes.fromhex("0603551d130101ff"), _der(0x04, bytes.fromhex("30030101ff"))
    )
    extensions = _der(0xA3, _der(0x30, authority, alternative))
    version, serial = bytes.fromhex("a003020102"), bytes.fromhex("020101")
    body = _der(0x30, version, serial, _ED25519, _NAME, valid, _NAME, public, extensions)
    signed = _der(0x30, body, _ED25519, _der(0x03, b"\0" + bytes(key.sign_message(body))))
    secret = _der(0x30, bytes.fromhex("020100"), _ED25519, _der(0x04, _der(0x04, bytes(range(32)))))
    cert, private = folder / "cert.pem", folder / "key.pem"
    cert.write_text(_pem("CERTIFICATE", signed))
    private.write_text(_pem("PRIVATE KEY", secret))
    return cert, private
