"""Findings about the evidence itself: lines that contradict each other or cannot be read, what was listed and not given, a false clock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from popkit.diagnosis.result import SUFFIXES
from popkit.facts import Facts
from popkit.rules.model import Finding
from popkit.rules.sides import TRANSACTIONS
from popkit.texts import Sentence, Text, sentence
from popkit.wording import LISTED_TRANSACTIONS, PARTS, TIMES
from popkit.wording import TRANSACTIONS as SEVERAL

CONTRADICTIONS = frozenset({"contradictory_lines"})
PROBLEMS = {
    "unreadable_line": Text("a line cannot be read", "読み取れない行があります"),
    "truncated_line": Text("the last line is cut off", "最後の行が途中で切れています"),
    "line_too_long": Text("a line is longer than any line may be", "行が上限より長くなっています"),
    "damaged_compression": Text("the file cannot be decompressed to its end", "ファイルを最後まで展開できません"),
    "document_too_large": Text("the document is larger than any may be and was not read", "文書が上限より大きいため読み取っていません"),
    "unreadable_document": Text("the document cannot be read", "文書を読み取れません"),
    "unreadable_inner_instructions": Text("inner instructions cannot be read", "内部命令を読み取れません"),
    "garbled_part": Text("a part of a line cannot be used", "行の一部を使用できません"),
    "not_a_record": Text("the file is not a canonical record of a cutover", "正規形の切り替えの記録ではありません"),
    "worker_refused": Text("the worker answered with an error", "worker がエラーを返しました"),
    "contradictory_lines": Text("lines of one key hold different values", "同じキーの行に異なる値があります"),
    "transaction_unavailable": Text("the node answered null for a transaction", "ノードがトランザクションについて null を返しました"),
}
"""What is wrong with a part of the evidence, by the code of its problem."""
_OTHER_PROBLEM = Text("a part cannot be used ({code})", "使用できない部分があります（{code}）")
_ONE_VALUE = Text("one value per key", "キーごとに値が 1 つであること")
_SECONDS = Text("unix seconds", "UNIX 秒")
_WHAT_THEY_DID = Text("what {transactions} did", "{transactions}の内容")


def problem_named(code: str) -> str:
    """What a problem's code means, in both languages; the code itself where it has no words of its own."""
    return PROBLEMS[code]() if code in PROBLEMS else _OTHER_PROBLEM(code=code)


def logical_name(file: str) -> str:
    """A file's name without its compression: findings do not depend on how a case was packed."""
    for suffix in SUFFIXES:
        file = file.removesuffix(suffix)
    return file


def evidence_findings(facts: Facts) -> Iterator[Finding]:
    """Findings about lines that contradict each other or could not be read, and transactions listed and not given.

    A finding names the file alone, not the line: line numbers depend on how a file was ordered.
    """
    counts: dict[tuple[str, str], int] = {}
    for problem in facts.problems:
        if problem.code == "no_manifest":
            continue
        key = (logical_name(problem.place.file), problem.code)
        counts[key] = counts.get(key, 0) + 1
    for (file, code), count in sorted(counts.items()):
        if code in CONTRADICTIONS:
            yield Finding("evidence_contradictory", None, (file, ""), _ONE_VALUE(), PROBLEMS["contradictory_lines"]())
        elif code == "time_in_milliseconds":
            times = sentence(
                "{times} in milliseconds, read as such", "{times}がミリ秒で書かれており、そのように読みました", times=TIMES(count)
            )
            yield Finding("time_in_milliseconds", None, (file, ""), _SECONDS(), times)
        elif code == "transaction_unavailable":
            nulls = sentence(
                "the node answered null for {transactions}", "ノードが{transactions}について null を返しました", transactions=SEVERAL(count)
            )
            yield Finding("transaction_missing", None, (file, ""), observed=nulls, not_checked=_WHAT_THEY_DID(transactions=SEVERAL(count)))
        else:
            yield Finding(
                "evidence_unreadable",
                None,
                (file, code),
                observed=sentence("{parts}: {problem}", "{parts}: {problem}", parts=PARTS(count), problem=problem_named(code)),
                not_checked=sentence("the content of {parts} that could not be used", "使用できなかった{parts}の内容", parts=PARTS(count)),
            )
    yield from listed_and_given(facts)
    if facts.clock_is_impossible:
        wanted = sentence(
            "the cluster's clock at the slot of the accounts, in unix seconds",
            "アカウントのスロットにおけるクラスターの時計（UNIX 秒）",
        )
        yield Finding("evidence_contradictory", None, ("case.json", "collected_at"), wanted, str(facts.now))


def listed_and_given(facts: Facts) -> Iterator[Finding]:
    """The node's list against the transactions it gave: missing ones, and other slots or outcomes."""
    transactions, signatures = facts.evidence.transactions, facts.evidence.signatures
    if transactions is None or signatures is None:
        return
    row_of = {signature: row for row, signature in enumerate(transactions.signature)}
    missing = sorted(s for s in signatures if s not in row_of and s not in transactions.unavailable)
    if missing:
        count = len(missing)
        yield Finding(
            "transaction_missing",
            None,
            (TRANSACTIONS, missing[0]),
            observed=sentence(
                "the node lists {transactions} that the case does not hold",
                "{transactions}がケースにありません",
                transactions=LISTED_TRANSACTIONS(count),
            ),
            not_checked=_WHAT_THEY_DID(transactions=LISTED_TRANSACTIONS(count)),
        )
    for signature, listed in signatures.items():
        row = row_of.get(signature)
        if row is None:
            continue
        given = (transactions.slot[row], transactions.meta[row].err)
        if given != (listed.slot, listed.err):
            seen, wanted = _outcome(*given), _outcome(listed.slot, listed.err)
            yield Finding("outcome_contradictory", None, (TRANSACTIONS, signature), wanted, seen, slot=listed.slot)


def _outcome(slot: int, err: Any) -> Sentence:
    if err is None:
        return sentence("slot {slot}, accepted", "スロット {slot}、受理", slot=slot)
    return sentence("slot {slot}, refused with {err}", "スロット {slot}、拒否「{err}」", slot=slot, err=json.dumps(err, sort_keys=True))
