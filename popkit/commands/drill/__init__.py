"""`popkit drill`: rehearse on a living copy of the system. A module a verb; the work is in
`popkit.drill`.
"""

from __future__ import annotations

from popkit.command_line.grammar import Family, OneOf, Option, Place
from popkit.command_line.help import Example
from popkit.texts import Text

ERAS = ("pre_pop", "strict", "strict_v2", "relaxed", "head")
FOLDER = Text("the folder of the running drill", "実行中の演習のフォルダー")
ERA = Text("which program is deployed", "どの版のプログラムが動いているか")
SEED = Text("the same seed gives the same world", "同じシードなら同じ世界になります")
TOO_FEW = Text(
    "--{option} {value}: expected a number from {least}",
    "--{option} {value}: {least} 以上の数を指定してください",
)


def folder_option() -> Option:
    """`--drill`: which drill is meant."""
    return Option(
        "--drill", "folder", words=FOLDER, default="drill", type=Place("dir"), metavar="DIR"
    )


def era_option() -> Option:
    """`--era`: the program's version."""
    return Option("--era", words=ERA, type=OneOf(ERAS), metavar="ERA")


VERB = Family(
    __name__,
    order=80,
    summary=Text(
        "rehearse on a living copy of the system, on loopback",
        "ループバック上の模擬環境で演習",
    ),
    about=Text(
        "A small copy of the whole system comes up on this machine, with an incident that happens; "
        "its answer is sealed.",
        "このマシンの中に小さな模擬環境を立ち上げ、障害を起こします。答えは封印されています。",
    ),
    examples=(
        Example(
            "popkit drill start",
            Text("a surprise, in the background", "何が起きるかわからない演習を開始"),
        ),
    ),
)
