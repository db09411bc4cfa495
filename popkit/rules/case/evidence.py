"""Parts of the evidence that contradict each other, or that cannot be read as they stand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from popkit.evidence.lines import logical_name
from popkit.facts import Facts
from popkit.protocol.pda import pop_state_address
from popkit.rules.model import Answer, Rule
from popkit.rules.sides import ACCOUNTS, CaseSide
from popkit.texts import Text
from popkit.wording import PARTS, TIMES

CONTRADICTORY, IN_MILLISECONDS = "contradictory_lines", "time_in_milliseconds"
NO_MANIFEST, UNAVAILABLE = "no_manifest", "transaction_unavailable"
PROBLEMS = {
    "unreadable_line": Text("a line cannot be read", "読み取れない行があります"),
    "truncated_line": Text("the last line is cut off", "最後の行が途中で切れています"),
    "line_too_long": Text("a line is longer than any line may be", "行が上限より長くなっています"),
    "damaged_compression": Text(
        "the file cannot be decompressed to its end", "ファイルを最後まで展開できません"
    ),
    "document_too_large": Text(
        "the document is larger than any may be and was not read",
        "文書が上限より大きいため読み取っていません",
    ),
    "unreadable_document": Text("the document cannot be read", "文書を読み取れません"),
    "unreadable_inner_instructions": Text(
        "inner instructions cannot be read", "内部命令を読み取れません"
    ),
    "garbled_part": Text("a part of a line cannot be used", "行の一部を使用できません"),
    "not_a_record": Text(
        "the file is not a canonical record of a cutover", "正規形の切り替えの記録ではありません"
    ),
    "worker_refused": Text("the worker answered with an error", "worker がエラーを返しました"),
    CONTRADICTORY: Text(
        "lines of one key hold different values", "同じキーの行に異なる値があります"
    ),
    UNAVAILABLE: Text(
        "the node answered null for a transaction",
        "ノードがトランザクションについて null を返しました",
    ),
}
"""What is wrong with a part of the evidence, by the code of its problem."""
_OTHER_PROBLEM = Text("a part cannot be used ({code})", "使用できない部分があります（{code}）")
_ONE_VALUE = Text("one value per key", "キーごとに値が 1 つであること")
_SECONDS = Text("unix seconds", "UNIX 秒")
_THE_CLOCK = Text(
    "the cluster's clock at the slot of the accounts, in unix seconds",
    "アカウントのスロットにおけるクラスターの時計（UNIX 秒）",
)
_READ_AS_SUCH = Text(
    "{times} in milliseconds, read as such",
    "{times}がミリ秒で書かれており、そのように読みました",
)
_OF_PROGRAM = Text(
    "an account of {program}, the case's program",
    "ケースのプログラム {program} のアカウントであること",
)
_OF_ANOTHER = Text("the account belongs to {owner}", "アカウントは {owner} に属しています")
_PROBLEM = Text("{parts}: {problem}", "{parts}: {problem}")
_CONTENT = Text("the content of {parts} that could not be used", "使用できなかった{parts}の内容")


def problem_named(code: str) -> str:
    """What a problem's code means, in both languages; the code itself where it has no words."""
    return PROBLEMS[code]() if code in PROBLEMS else _OTHER_PROBLEM(code=code)


def problems_of(facts: Facts) -> list[tuple[str, str, int]]:
    """(file, code, count) of what is wrong with the evidence, ascending.

    It names the file alone, not the line: line numbers depend on how a file was ordered.
    """
    counts = Counter((logical_name(p.place.file), p.code) for p in facts.problems)
    return [(file, code, count) for (file, code), count in sorted(counts.items())]


EVIDENCE_CONTRADICTORY = Rule(
    "evidence_contradictory",
    "critical",
    "case",
    source="design §4",
    holds=Text("no two answers contradict each other", "互いに矛盾する応答がないこと"),
    meaning=Text(
        "Two lines of the evidence say different things of one key.",
        "証拠の 2 つの行が、同じキーについて異なる内容になっています。",
    ),
    advice=Text(
        "Keep both; collect again from a second source.",
        "両方を保存し、別の取得元から再収集してください。",
    ),
)


@EVIDENCE_CONTRADICTORY.asks
def lines_of_one_key(side: CaseSide) -> Iterator[Answer]:
    """Lines that give one key several values."""
    for file, code, _ in problems_of(side.facts):
        if code == CONTRADICTORY:
            yield EVIDENCE_CONTRADICTORY.violated((file, ""), _ONE_VALUE(), PROBLEMS[code]())


@EVIDENCE_CONTRADICTORY.asks
def time_of_collection(side: CaseSide) -> Iterator[Answer]:
    """A time of collection that the rest of the case shows to be impossible."""
    if side.facts.clock_is_impossible:
        where = ("case.json", "collected_at")
        yield EVIDENCE_CONTRADICTORY.violated(where, _THE_CLOCK(), str(side.facts.now))


@EVIDENCE_CONTRADICTORY.asks
def accounts_of_another_program(side: CaseSide) -> Iterator[Answer]:
    """The account of a grant, or its PopState, that another program owns than the case's."""
    program = side.facts.header.program_id
    for grant in side.facts.header.grants:
        state = side.facts.chain(grant).state
        owners = {
            grant: side.facts.foreign_owner(grant),
            pop_state_address(grant, program): state.foreign_owner,
        }
        for address, owner in owners.items():
            if owner is not None:
                yield EVIDENCE_CONTRADICTORY.violated(
                    (ACCOUNTS, address),
                    _OF_PROGRAM(program=program),
                    _OF_ANOTHER(owner=owner),
                    grant=grant,
                )


EVIDENCE_UNREADABLE = Rule(
    "evidence_unreadable",
    "warning",
    "case",
    source="design §4",
    holds=Text("every part of the evidence can be read", "証拠のすべての部分を読み取れること"),
    meaning=Text(
        "A part of the evidence could not be read and was left out.",
        "証拠の一部を読み取れず、除外しました。",
    ),
    advice=Text("Collect that part again.", "その部分を再収集してください。"),
    context=("observed", "not_checked"),
)
_OF_OTHER_RULES = (CONTRADICTORY, IN_MILLISECONDS, NO_MANIFEST, UNAVAILABLE)


@EVIDENCE_UNREADABLE.asks
def unreadable_parts(side: CaseSide) -> Iterator[Answer]:
    """Parts that could not be used, one answer a file and kind."""
    for file, code, count in problems_of(side.facts):
        if code not in _OF_OTHER_RULES:
            yield EVIDENCE_UNREADABLE.violated(
                (file, code),
                observed=_PROBLEM(parts=PARTS(count), problem=problem_named(code)),
                not_checked=_CONTENT(parts=PARTS(count)),
            )


IN_SECONDS = Rule(
    IN_MILLISECONDS,
    "info",
    "case",
    source="design §4",
    holds=Text("every time is in unix seconds", "すべての時刻が UNIX 秒で書かれていること"),
    meaning=Text(
        "Times stand in milliseconds, as JavaScript's clock gives them, where unix seconds are "
        "expected; they were read as such.",
        "UNIX 秒であるべき時刻が、JavaScript の時計のようにミリ秒で書かれています。"
        "ミリ秒として読みました。",
    ),
    advice=Text("Nothing to do.", "対応は不要です。"),
)


@IN_SECONDS.asks
def times_in_milliseconds(side: CaseSide) -> Iterator[Answer]:
    """Times that were read as milliseconds, counted for each file."""
    for file, code, count in problems_of(side.facts):
        if code == IN_MILLISECONDS:
            times = _READ_AS_SUCH(times=TIMES(count))
            yield IN_SECONDS.violated((file, ""), _SECONDS(), times)
