"""How a request can end: every way has a name, and each name says what happens next.

Two things never happen: an answer of unknown shape is taken for "nothing there", and a peer that
misbehaves keeps the collector busy without bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from popkit.texts import Text


class Outcome(StrEnum):
    """The named ends of one request, or of one call inside a batch."""

    OK = "ok"
    RATE_LIMITED = "rate_limited"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    NO_CONNECTION = "no_connection"
    TLS_FAILED = "tls_failed"
    REDIRECTED = "redirected"
    UNAUTHORIZED = "unauthorized"
    REFUSED = "refused"
    BLOCKED = "blocked"
    HTML_PAGE = "html_page"
    WRONG_ENCODING = "wrong_encoding"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    BODY_CUT = "body_cut"
    BODY_ENDLESS = "body_endless"
    NOT_JSON = "not_json"
    NOT_JSON_RPC = "not_json_rpc"
    WRONG_IDS = "wrong_ids"
    DUPLICATE_IDS = "duplicate_ids"
    WRONG_ANSWER = "wrong_answer"
    SLOT_WENT_BACK = "slot_went_back"
    UNAVAILABLE = "unavailable"
    NODE_BEHIND = "node_behind"
    RPC_ERROR = "rpc_error"
    METHOD_MISSING = "method_missing"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an outcome means and what the collector does: ask again (`again`), and ask for less at
    once (`shrink`).
    """

    meaning: Text
    again: bool = True
    shrink: bool = False


RULES: dict[Outcome, Rule] = {
    Outcome.OK: Rule(Text("answered", "応答がありました"), again=False),
    Outcome.RATE_LIMITED: Rule(
        Text(
            "the peer asks for fewer requests (429)",
            "相手がリクエスト数を減らすよう求めています（429）",
        ),
        shrink=True,
    ),
    Outcome.TOO_LARGE: Rule(
        Text(
            "the peer asks for smaller requests (413), or refuses a batch as a whole",
            "相手がリクエストを小さくするよう求めている（413）か、バッチ全体を拒否しています",
        ),
        shrink=True,
    ),
    Outcome.TIMEOUT: Rule(
        Text("no whole answer within the time allowed", "制限時間内に応答が揃いませんでした"),
        shrink=True,
    ),
    Outcome.SERVER_ERROR: Rule(
        Text("the peer failed (HTTP 5xx)", "相手側で障害が起きています（HTTP 5xx）")
    ),
    Outcome.NO_CONNECTION: Rule(
        Text(
            "no connection, or it was closed without an answer",
            "接続できないか、応答なしに切断されました",
        )
    ),
    Outcome.TLS_FAILED: Rule(
        Text("the peer could not prove who it is (TLS)", "相手の身元を確認できません（TLS）"),
        again=False,
    ),
    Outcome.REDIRECTED: Rule(
        Text(
            "the peer sends elsewhere; a redirect is never followed",
            "相手が別の場所へ転送しようとしています。転送には従いません",
        ),
        again=False,
    ),
    Outcome.UNAUTHORIZED: Rule(
        Text(
            "the peer wants another authorisation (401 or 403)",
            "相手が別の認証を求めています（401 または 403）",
        ),
        again=False,
    ),
    Outcome.REFUSED: Rule(
        Text(
            "the peer refused the request (another HTTP 4xx)",
            "相手がリクエストを拒否しました（その他の HTTP 4xx）",
        ),
        again=False,
    ),
    Outcome.BLOCKED: Rule(
        Text(
            "a firewall's page came instead of an answer (401 or 403): it blocks this machine or "
            "client",
            "応答の代わりにファイアウォールのページが返りました（401 または 403）。この端末またはクライアントが遮断されています",
        ),
        again=False,
    ),
    Outcome.HTML_PAGE: Rule(
        Text("a web page came instead of an answer", "応答の代わりに Web ページが返りました")
    ),
    Outcome.WRONG_ENCODING: Rule(
        Text(
            "the answer is compressed in a way that was not asked for",
            "要求していない方式で圧縮された応答です",
        )
    ),
    Outcome.WRONG_CONTENT_TYPE: Rule(
        Text("the answer says that it is not JSON", "応答が JSON ではないと示しています")
    ),
    Outcome.BODY_CUT: Rule(
        Text("the answer ended before its end", "応答が途中で終わりました"), shrink=True
    ),
    Outcome.BODY_ENDLESS: Rule(
        Text(
            "the answer is larger than any answer may be, and was cut off",
            "応答が上限より大きいため打ち切りました",
        ),
        shrink=True,
    ),
    Outcome.NOT_JSON: Rule(Text("the answer is not JSON", "応答が JSON ではありません")),
    Outcome.NOT_JSON_RPC: Rule(
        Text(
            "the answer is JSON, but not a JSON-RPC answer",
            "応答は JSON ですが、JSON-RPC の応答ではありません",
        )
    ),
    Outcome.WRONG_IDS: Rule(
        Text(
            "the ids of a batch's answers are not those that were asked",
            "バッチの応答の ID が、要求したものと異なります",
        ),
        shrink=True,
    ),
    Outcome.DUPLICATE_IDS: Rule(
        Text("a batch's answers hold an id twice", "バッチの応答に同じ ID が 2 つあります"),
        shrink=True,
    ),
    Outcome.WRONG_ANSWER: Rule(
        Text(
            "the answer is about something else than what was asked",
            "要求とは別のものについての応答です",
        ),
        shrink=True,
    ),
    Outcome.SLOT_WENT_BACK: Rule(
        Text(
            "the answer is of an older slot than one given before",
            "以前の応答より古いスロットの応答です",
        )
    ),
    Outcome.UNAVAILABLE: Rule(
        Text(
            "the node does not have it, which is not the same as that it is not there",
            "ノードがデータを持っていません（存在しないこととは異なります）",
        ),
        again=False,
    ),
    Outcome.NODE_BEHIND: Rule(
        Text("the node is behind the cluster", "ノードがクラスターより遅れています")
    ),
    Outcome.RPC_ERROR: Rule(Text("the node answered with an error", "ノードがエラーを返しました")),
    Outcome.METHOD_MISSING: Rule(
        Text("the node does not offer this method", "ノードがこのメソッドを提供していません"),
        again=False,
    ),
}

# Codes with which a node says that it has no answer: cleaned up, skipped, not in long-term storage, of a newer version, of another epoch, …
UNAVAILABLE_CODES = frozenset({-32004, -32007, -32009, -32011, -32015, -32019, -32020})
# Codes that another ask, later, may cure: behind, or the slot asked for not reached.
_BEHIND_CODES = frozenset({-32005, -32014, -32016})
# The method is unknown, or switched off: no filter index (-32010), gone (410-like), not allowed.
_MISSING_CODES = frozenset({-32601, -32010, 410, 403})
_RATE_CODES = frozenset({429, -32429, -32097})
_RATE_WORDS = re.compile(
    r"rate.?limit|request limit|limit reached|limit exceeded|too many requests|(requests?|calls) per (second|minute|day)|reduce calls"
    r"|request count exceeded|compute units per second",
    re.IGNORECASE,
)


def outcome_of_error(code: int, message: str = "") -> Outcome:
    """What a JSON-RPC error says. Its words come before its code: providers give one code two
    meanings.

    QuickNode answers -32007 to the calls of a batch that are past its limit; a node answers it of a
    slot that was skipped.
    """
    if _RATE_WORDS.search(message[:1000]):
        return Outcome.RATE_LIMITED
    if code in UNAVAILABLE_CODES:
        return Outcome.UNAVAILABLE
    if code in _BEHIND_CODES:
        return Outcome.NODE_BEHIND
    if code in _MISSING_CODES:
        return Outcome.METHOD_MISSING
    if code in _RATE_CODES:
        return Outcome.RATE_LIMITED
    return Outcome.RPC_ERROR


def outcome_of_status(status: int) -> Outcome:
    """What an HTTP status says before anybody looks at the body."""
    if 200 <= status < 300:
        return Outcome.OK
    if 300 <= status < 400:
        return Outcome.REDIRECTED
    named = {
        401: Outcome.UNAUTHORIZED,
        403: Outcome.UNAUTHORIZED,
        408: Outcome.TIMEOUT,
        413: Outcome.TOO_LARGE,
        429: Outcome.RATE_LIMITED,
        504: Outcome.TIMEOUT,
    }
    return named.get(status, Outcome.SERVER_ERROR if status >= 500 else Outcome.REFUSED)
