"""`popkit drill`: rehearse on a living copy of the system; what its verbs take, in both languages. The work is in `popkit.drill`."""

from __future__ import annotations

from popkit.command_line.grammar import Argument, Family, Number, OneOf, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.drill import command
from popkit.texts import Text

ERAS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")
FOLDER = Text("the folder of the running drill", "実行中の演習のフォルダー")
ERA = Text("which program is deployed", "どの版のプログラムが動いているか")
NAME = Text("an incident, as 'popkit drill list' shows it", "演習の名前（`popkit drill list` で表示）")
SEED = Text("the same seed gives the same world", "同じシードなら同じ世界になります")


def _folder() -> Option:
    return Option("--drill", "folder", words=FOLDER, default="drill", type=Place("dir"), metavar="DIR")


def _era() -> Option:
    return Option("--era", words=ERA, type=OneOf(ERAS), metavar="ERA")


LIST = Verb(
    "list",
    command.show_list,
    [Option("--all", "everything", words=Text("the mixtures of two as well", "二つの組み合わせも表示します"), is_flag=True)],
    summary=Text("show every incident, each in a sentence", "演習を一文ずつ一覧表示"),
)
START = Verb(
    "start",
    command.start,
    [
        Argument(
            "name", words=Text("an incident; without one it is a surprise", "演習の名前。省略すると何が起きるかは秘密です"), required=False
        ),
        _era(),
        Option("--seed", words=SEED, type=Number(), default=None, metavar="N"),
        Option("--out", words=Text("the drill's folder", "演習のフォルダー"), default="drill", type=Place("dir"), metavar="DIR"),
        Option("--slot-ms", words=Text("milliseconds a slot (200)", "1 スロットのミリ秒（200）"), type=Number(), default=200, metavar="MS"),
        Option(
            "--fault",
            "faults",
            multiple=True,
            metavar="KIND[:VALUE]",
            words=Text(
                "a fault of the first node: those of popkit serve, and lost-answer, held-answer, late, dropped, dropped-first, "
                "null-status, never-seen, contradicts, stale-blockhash, other-genesis, forked, surfnet, stands-still, forgets, clock",
                "1 台目のノードの障害。`popkit serve` のものと、`lost-answer`、`held-answer`、`late`、`dropped`、`dropped-first`、"
                "`null-status`、`never-seen`、`contradicts`、`stale-blockhash`、`other-genesis`、`forked`、`surfnet`、`stands-still`、"
                "`forgets`、`clock`",
            ),
        ),
        Option(
            "--second-fault",
            "second_faults",
            multiple=True,
            metavar="KIND[:VALUE]",
            words=Text("a fault of the second node", "2 台目のノードの障害"),
        ),
        Option(
            "--behind",
            words=Text("slots that the second node lags (0)", "2 台目の遅れ（スロット数、0）"),
            type=Number(),
            default=0,
            metavar="N",
        ),
    ],
    summary=Text("bring a drill up in the background", "演習をバックグラウンドで開始"),
    examples=(
        Example("popkit drill start", Text("a surprise", "何が起きるかわからない演習")),
        Example("popkit drill start abandoned-quiet --era strict_v2", Text("an incident of your choice", "選んだ演習")),
    ),
)
CLOCK = Verb(
    "clock",
    command.clock,
    [Argument("seconds", words=Text("how long, as +900", "進める秒数（例: +900）")), _folder()],
    summary=Text("let time pass in the running drill", "実行中の演習の時間を進める"),
)
CLAIM = Verb(
    "claim",
    command.claim,
    [Argument("count", words=Text("how many", "人数"), type=Number()), _folder()],
    summary=Text("let new wallets claim on the newest event, as the app does", "新しいウォレットに、アプリと同じように claim させる"),
)
UPSET = Verb(
    "upset",
    command.upset,
    [
        Argument(
            "what",
            words=Text(
                "of the worker: worker-down, worker-up, sink-fails, sink-missing, sink-works, backup, restore, key-rotated, "
                "key-by-calendar, clock, doubled, answer-502, answer-lost, answer-late, limited, warned, frozen, thawed; of the nodes: "
                "node, second-node, second-behind; by others: linked, made, asked-early, program",
                "worker: `worker-down`、`worker-up`、`sink-fails`、`sink-missing`、`sink-works`、`backup`、`restore`、`key-rotated`、"
                "`key-by-calendar`、`clock`、`doubled`、`answer-502`、`answer-lost`、`answer-late`、`limited`、`warned`、`frozen`、"
                "`thawed`。ノード: `node`、`second-node`、`second-behind`。ほかの人: `linked`、`made`、`asked-early`、`program`",
            ),
        ),
        Argument(
            "value",
            words=Text(
                "how many (answer-502, answer-lost, second-behind), seconds (clock, answer-late, limited), days (key-by-calendar), "
                "faults as --fault takes them or 'well' (node, second-node), a grant's id (linked, made) or address (asked-early), "
                "a version (program)",
                "回数やスロット数（`answer-502`、`answer-lost`、`second-behind`）、秒数（`clock`、`answer-late`、`limited`）、日数"
                "（`key-by-calendar`）、`--fault` と同じ障害または `well`（`node`、`second-node`）、グラントの ID（`linked`、`made`）か"
                "アドレス（`asked-early`）、版（`program`）",
            ),
            required=False,
        ),
        _folder(),
    ],
    summary=Text("make something go wrong in the running drill, or right again", "実行中の演習に障害を起こす、または直す"),
)
STATUS = Verb(
    "status",
    command.status,
    [_folder()],
    summary=Text("show where the drill stands, the answer sealed", "演習の状態を表示（答えは封印のまま）"),
)
REVEAL = Verb("reveal", command.reveal, [_folder()], summary=Text("open the sealed answer", "封印された答えを開く"))
STOP = Verb("stop", command.stop, [_folder()], summary=Text("end the drill", "演習を終了"))
CASE = Verb(
    "case",
    command.case,
    [
        Argument("name", words=NAME),
        _era(),
        Option("--seed", words=SEED, type=Number(), default=0, metavar="N"),
        Option(
            "--out",
            words=Text("the case to make; must not exist", "作るケース（まだないこと）"),
            required=True,
            type=Place("dir"),
            metavar="CASE",
        ),
    ],
    summary=Text("write just the evidence of an incident as a case", "演習の証拠だけをケースとして書き出す"),
)
RUN = Verb(
    "run",
    command.run,
    [
        Argument("names", words=Text("incidents; without any, all single ones", "演習の名前。省略すると単独の演習すべて"), nargs=-1),
        _era(),
        Option(
            "--seeds",
            words=Text("worlds of each incident and era (1)", "演習と版ごとの世界の数（1）"),
            type=Number(),
            default=1,
            metavar="N",
        ),
        Option("--first-seed", words=Text("the first seed (0)", "最初のシード（0）"), type=Number(), default=0, metavar="N"),
        Option(
            "--http", "over_http", words=Text("collect over HTTP from a living drill", "動いている演習から HTTP で収集します"), is_flag=True
        ),
        Option(
            "--by-roles",
            words=Text(
                "the tokens are another person's: create, fund and sign apart", "トークンの持ち主が別の場合（作成・入金・署名者を別々に）"
            ),
            is_flag=True,
        ),
        Option(
            "--until",
            words=Text(
                "stop at the diagnosis, or go on to the verified cutover (cutover)",
                "`diagnosis` なら診断まで、`cutover` なら検証済みの切り替えまで",
            ),
            type=OneOf(("diagnosis", "cutover")),
            default="cutover",
            metavar="WHAT",
        ),
        Option(
            "--mixtures", words=Text("without names: the mixtures of two as well", "名前を省略したとき、二つの組み合わせも"), is_flag=True
        ),
    ],
    summary=Text("unattended: play, diagnose, cut over, verify and compare", "無人で実行し、診断・切り替え・検証を正しい答えと比べる"),
    about=Text("Exit code 0 only where every answer is right.", "すべての答えが正しいときだけ終了コード 0 です。"),
)

VERB = Family(
    "drill",
    (LIST, START, CLOCK, CLAIM, UPSET, STATUS, REVEAL, STOP, RUN, CASE),
    summary=Text("rehearse on a living copy of the system, on loopback", "ループバック上の模擬環境で演習"),
    about=Text(
        "A small copy of the whole system comes up on this machine, with an incident that happens; its answer is sealed.",
        "このマシンの中に小さな模擬環境を立ち上げ、障害を起こします。答えは封印されています。",
    ),
    examples=(Example("popkit drill start", Text("a surprise, in the background", "何が起きるかわからない演習を開始")),),
)
