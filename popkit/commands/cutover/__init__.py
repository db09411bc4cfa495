"""`popkit cutover`: plan, show, carry out and record a cutover. A module a verb; the work is in
`popkit.cutover`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from popkit import output  # a module of this package is named show
from popkit.command_line.grammar import Argument, Family, Option, Place
from popkit.command_line.help import Example
from popkit.texts import Language, Text

if TYPE_CHECKING:
    from popkit.cutover.pages.screen import Screen

RUN = Text(
    "the folder of the run, as 'popkit cutover plan' made it",
    "`popkit cutover plan` が作成した実行のフォルダー",
)
STEP = Text("a step by its number: 0, 1, 2, 2.4, …", "手順の番号: 0、1、2、2.4 など")
RPC = Text(
    "the node that builds, simulates and sends: env:NAME of a variable that holds its URL",
    "作成・シミュレーション・送信に使うノード。URL を入れた環境変数を env:NAME で指定",
)
SECOND = Text(
    "a second node, of another provider, that vouches",
    "確認用の二つ目のノード（別の提供元）を env:NAME で指定",
)
WORKER = Text("the worker's URL, or env:NAME", "worker の URL、または env:NAME")
TOKEN = Text(
    "the environment variable that holds the operator's token",
    "担当者のトークンを入れた環境変数の名前",
)
AUTHORITY = Text(
    "the authority's key: env:NAME of a variable that names its file, or cmd:COMMAND of a signer; "
    "left out for a multisig",
    "authority の鍵。鍵ファイルの場所を入れた環境変数を env:NAME で、署名コマンドを cmd:COMMAND で指定。マルチシグでは省略",
)
FUNDER = Text(
    "the key that holds the tokens, where it is another",
    "トークンを持つ鍵（authority と異なる場合）",
)
WALLET = Text(
    "a wallet of the operator's for the first claim (step 2.5)",
    "最初の claim に使う担当者のウォレット（手順 2.5）",
)
CONFIRM = "TOKEN:VALUE"
WROTE = Text("wrote {place}", "{place} を書き出しました")
EXISTS = Text(
    "{place}: exists already; a run is made once",
    "{place}: すでにあります。実行のフォルダーは一度だけ作成します",
)


def run_argument() -> Argument:
    """RUN."""
    return Argument("run", words=RUN, type=Place("dir"))


def step_argument(required: bool = True) -> Argument:
    """STEP."""
    return Argument("step", words=STEP, required=required)


def peer_options() -> list[Option]:
    """Where the nodes, the worker and the keys are; a run keeps the references, never the secrets."""
    return [
        Option("--rpc", words=RPC, metavar="env:NAME"),
        Option("--second-rpc", words=SECOND, metavar="env:NAME"),
        Option("--worker", words=WORKER, metavar="URL"),
        Option("--worker-token-env", words=TOKEN, metavar="NAME"),
        Option("--authority-key", words=AUTHORITY, metavar="REF"),
        Option("--funder-key", words=FUNDER, metavar="REF"),
        Option("--wallet-key", words=WALLET, metavar="REF"),
    ]


def shown(screen: Screen, language: Language) -> int:
    """Print a screen; returns the exit code that it states."""
    output.show(screen.text(language))
    return screen.exit_code


VERB = Family(
    __name__,
    order=70,
    summary=Text(
        "carry out a cutover, one confirmed step at a time",
        "切り替えを、確認しながら一手順ずつ実行",
    ),
    about=Text(
        "Without --confirm nothing is changed anywhere. Exit codes: 0 done, or a clean dry run; "
        "1 stopped, or landed and failed; 2 wrong usage or confirmation; "
        "3 an outcome that is not known.",
        "--confirm なしでは何も変更しません。終了コード: 0 完了または支障のない予行、"
        "1 中止または取り込み後の失敗、2 使い方か確認の誤り、3 結果不明。",
    ),
    examples=(
        Example(
            "popkit cutover status RUN",
            Text("where we are and what is next", "現在地と次の手順"),
        ),
        Example("popkit cutover step RUN 2", Text("a dry run of step 2", "手順 2 の予行")),
    ),
)
