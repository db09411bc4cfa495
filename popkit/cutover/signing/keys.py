"""Signers: a private key is used by reference, and every signature is checked before it leaves this
module.

env:NAME                 the variable NAME (capitals and digits, or letters alone) holds the path of
a solana-keygen file cmd:PUBKEY:COMMAND       a program that signs: for a hardware wallet, an agent,
or a machine that is on no network

The command is split as a shell would (quotes count) and started without one. It gets the message as
one line of base64 on its standard input and answers with the signature, base58 or padded base64,
alone on its standard output, within a time limit. Its public key is given and not asked for, so
that keys can be compared with the plan before any program starts or any button is pressed. Nothing
that it prints is shown; one that needs to ask a person asks on the terminal itself (/dev/tty).

What is kept from being seen: no repr, text, pickle, message of an error or local variable of a
frame here that can raise holds a private key; raw bytes are reached through memory views, whose
repr shows nothing, and the buffers of the file's text and of the 64 bytes are overwritten with
zeros. What is not: the key itself stays in this process's memory (inside solders) while a signer
lives, copies that Python or solders makes on the way are freed and not overwritten, and whoever may
read this process's memory can read it.
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import subprocess
import time
from pathlib import Path
from typing import NoReturn, Protocol

from pybase64 import b64decode, b64encode
from solders.keypair import Keypair

from popkit.cutover.errors import Stopped
from popkit.cutover.signing.keyfile import KEYPAIR, WHY_NOT, read_keypair, wiped
from popkit.errors import EXIT_USAGE
from popkit.protocol.keys import b58decode, b58encode, is_pubkey, key_bytes, verify_strict
from popkit.texts import Text

SECONDS_TO_SIGN = 60.0
"""Seconds that a command may take: somebody may have to find a button."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,60}|[A-Za-z_]{1,61}")
"""Names that are taken for a variable's, and shown: anything else may be a key that was pasted
there.
"""
_MOST_ANSWER = 200
"""Characters of an answer that may be a signature with white space around it."""

HOW_TO_REFER = Text(
    "give the key as env:NAME, a variable that holds the path of a solana-keygen file, or as "
    "cmd:PUBKEY:COMMAND, a program that signs",
    "鍵は env:NAME（solana-keygen のファイルのパスを入れた環境変数）または cmd:PUBKEY:COMMAND（署名するプログラム）で指定してください",
)
NO_REFERENCE = Text(
    "the {role} key is not given by a reference; what was given is not shown, as it may be the key "
    "itself",
    "{role} の鍵が参照で指定されていません。鍵そのものの可能性があるため、指定された内容は表示しません",
)
NOT_SET = Text(
    "the {role} key is to be read from the file that {reference} names, and that variable is not "
    "set",
    "{role} の鍵は {reference} が示すファイルから読みますが、この変数が設定されていません",
)
NO_KEY = Text("the {role} key ({reference}): {why}", "{role} の鍵（{reference}）: {why}")
NO_COMMAND = Text(
    "the {role} key: the command behind cmd:PUBKEY: is empty, or a quote in it is not closed",
    "{role} の鍵: cmd:PUBKEY: の後のコマンドが空か、引用符が閉じていません",
)
NOT_STARTED = Text(
    "the program that signs for {role} ({public_key}) could not be started",
    "{role}（{public_key}）の署名プログラムを起動できませんでした",
)
START_IT = Text(
    "run the command by hand and look at what it says; then give the same reference again",
    "コマンドを手で実行して表示を確認し、同じ参照をもう一度指定してください",
)
FAILED = Text(
    "the program that signs for {role} ({public_key}) ended with {code} and gave no signature; "
    "nothing was sent",
    "{role}（{public_key}）の署名プログラムは終了コード {code} で終わり、署名がありません。何も送信していません",
)
TOO_LATE = Text(
    "the program that signs for {role} ({public_key}) gave no signature within {seconds} s and was "
    "ended; nothing was sent",
    "{role}（{public_key}）の署名プログラムは {seconds} 秒以内に署名せず、終了させました。何も送信していません",
)
NO_SIGNATURE = Text(
    "the program that signs for {role} ({public_key}) answered with something else than one "
    "signature; nothing was sent",
    "{role}（{public_key}）の署名プログラムの答えは、1 個の署名ではありません。何も送信していません",
)
ANSWER_SO = Text(
    "have it write the signature of the bytes on its standard input, base58 or base64 with its "
    "padding, and nothing else",
    "標準入力のバイト列への署名だけを、base58 またはパディング付き base64 で出力するようにしてください",
)
WRONG_SIGNATURE = Text(
    "the signature for {role} does not hold for the public key {public_key}; nothing was sent",
    "{role} の署名は公開鍵 {public_key} では成り立ちません。何も送信していません",
)
OTHER_KEY = Text(
    "have the program sign with the key of that address, and sign the message itself: not its "
    "text, not its hash",
    "その公開鍵の鍵で、メッセージの文字列やハッシュではなく、メッセージそのものに署名するようにしてください",
)


class Signer(Protocol):
    """Somebody who can sign: `public_key` in base58, `reference` as it may be written down (no
    path, no command).
    """

    @property
    def public_key(self) -> str: ...
    @property
    def reference(self) -> str: ...
    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of a signature that holds for the message and `public_key`. Raises Stopped."""


class KeyRefused(Stopped):
    """A key cannot be used as it was given: the reference is not one, or its file is not safe or
    not a key. Nothing was done.
    """

    exit_code = EXIT_USAGE


def read_key(
    reference: str, role: str, run: Path | None, *, seconds: float = SECONDS_TO_SIGN
) -> Signer:
    """The signer that a reference names, for a role such as `authority`; `run` is the run's folder,
    which may hold no key.

    Nothing is started yet. Raises KeyRefused, which shows no more of the reference than a
    variable's name: `key_reference` for one that is none, `key_not_set`, and the codes of
    `popkit.cutover.signing.keyfile` for a file that is refused.
    """
    kind, _, rest = reference.strip().partition(":")
    public_key, _, command = rest.partition(":")
    if kind == "env" and _VARIABLE.fullmatch(rest):
        return _from_file(f"env:{rest}", os.environ.get(rest, "").strip(), role, run)
    is_command = kind == "cmd" and is_pubkey(public_key)
    if is_command and (words := _words(command)):
        return CommandSigner(role, public_key, words, seconds)
    del (
        reference,
        kind,
        rest,
        public_key,
        command,
    )  # a key that was pasted, or a PIN: a traceback may show the variables of this frame
    raise KeyRefused(
        "key_reference", (NO_COMMAND if is_command else NO_REFERENCE)(role=role), HOW_TO_REFER()
    )


class FileSigner:
    """A signer with the key in this process's memory. Its repr shows role and public key; it is
    neither copied nor pickled.
    """

    __slots__ = ("_signature_of", "public_key", "reference", "role")

    def __init__(self, role: str, reference: str, raw: memoryview) -> None:
        """`raw` are the 64 bytes of a keypair; the caller overwrites them."""
        self.role, self.reference = role, reference
        self.public_key = b58encode(bytes(raw[32:]))
        # The method alone is kept: its repr names an address in memory, where a Keypair's own would print the key.
        self._signature_of = Keypair.from_seed(raw[:32]).sign_message

    def __repr__(self) -> str:
        return f"<signer {self.role} {self.public_key}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its key would go with it")

    def sign(self, message: bytes) -> bytes:
        """The signature, as `Signer` says."""
        return _held(bytes(self._signature_of(message)), message, self.public_key, self.role)


class CommandSigner:
    """A signer behind a program, started once for each signature. Its repr shows role and public
    key, as the command may hold a secret.
    """

    __slots__ = ("_seconds", "_words", "public_key", "reference", "role")

    def __init__(
        self, role: str, public_key: str, words: list[str], seconds: float = SECONDS_TO_SIGN
    ) -> None:
        self.role, self.public_key, self.reference = role, public_key, f"cmd:{public_key}"
        self._words, self._seconds = words, seconds

    def __repr__(self) -> str:
        return f"<signer {self.role} {self.public_key}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a signer is neither copied nor pickled: its command would go with it")

    def sign(self, message: bytes) -> bytes:
        """The signature, as `Signer` says.

        Raises Stopped: `signer_not_started`, `signer_failed`, `signer_too_late`, `signer_answer`,
        `signature_wrong`.
        """
        signature, stopped = self._asked(message)
        if stopped is not None:
            raise stopped
        return _held(signature, message, self.public_key, self.role)

    def _asked(self, message: bytes) -> tuple[bytes, Stopped | None]:
        """The signature that the program gave, or why there is none. Raises nothing itself: its
        frame holds what the program printed.
        """
        who: dict[str, object] = {"role": self.role, "public_key": self.public_key}
        answer, code = _answer(self._words, b64encode(message) + b"\n", self._seconds)
        if answer is None and code is None:
            return b"", Stopped("signer_not_started", NOT_STARTED(**who), START_IT())
        if answer is None:
            return b"", Stopped(
                "signer_too_late", TOO_LATE(seconds=round(self._seconds, 1), **who), START_IT()
            )
        if code:
            return b"", Stopped("signer_failed", FAILED(code=code, **who), START_IT())
        signature = _read_signature(answer)
        return signature, None if signature else Stopped(
            "signer_answer", NO_SIGNATURE(**who), ANSWER_SO()
        )


def _from_file(reference: str, path: str, role: str, run: Path | None) -> Signer:
    if not path:
        raise KeyRefused("key_not_set", NOT_SET(role=role, reference=reference), HOW_TO_REFER())
    raw = memoryview(bytearray(KEYPAIR))
    with wiped(raw):
        code = read_keypair(Path(path), run, raw)
        if code is None:
            return FileSigner(role, reference, raw)
    why, advice = WHY_NOT[code]
    raise KeyRefused(code, NO_KEY(role=role, reference=reference, why=why), advice)


def _words(command: str) -> list[str]:
    """The words of a command; none where a quote is not closed."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _answer(words: list[str], given: bytes, seconds: float) -> tuple[bytes | None, int | None]:
    """What a program wrote to its standard output, and its exit code.

    (None, None) where it did not start, (None, 0) where it took too long. Of an answer that is
    longer than a signature the beginning comes back, and the program is ended.
    """
    deadline = time.monotonic() + seconds
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
    except (OSError, ValueError):
        return None, None
    with process:
        try:
            answer = _written(process, given, deadline)
            if answer is not None and len(answer) <= _MOST_ANSWER:
                return answer, process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            answer = None
        finally:
            if process.poll() is None:
                _end(process)
    return answer, 0


def _written(process: subprocess.Popen[bytes], given: bytes, deadline: float) -> bytes | None:
    """What a program writes until it closes its output, or until that is too long; None where the
    time is over before.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(given)  # shorter than any pipe holds: it never waits
        process.stdin.close()
    except BrokenPipeError:
        pass  # it ended, or closed its input, without reading
    answer = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(answer) <= _MOST_ANSWER:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                break
            answer += piece
    return answer


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started: one of those could hold the pipe open, and sign yet."""
    import psutil

    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        family = []
    process.kill()
    for member in family:
        try:
            member.kill()
        except psutil.Error:
            continue  # it ended by itself


def _read_signature(answer: bytes) -> bytes:
    """The 64 bytes that a text stands for, base58 or padded base64; none (b"") where it is anything
    else.
    """
    if len(answer) > _MOST_ANSWER:
        return b""
    try:
        text = answer.decode("ascii").strip()
        raw = b64decode(text, validate=True) if text.endswith("=") else b58decode(text)
    except ValueError:
        return b""
    return raw if len(raw) == 64 else b""


def _held(signature: bytes, message: bytes, public_key: str, role: str) -> bytes:
    """The signature, once it was checked by the rule of the chain. Raises Stopped
    (`signature_wrong`).
    """
    if not verify_strict(key_bytes(public_key), message, signature):
        raise Stopped(
            "signature_wrong", WRONG_SIGNATURE(role=role, public_key=public_key), OTHER_KEY()
        )
    return signature
