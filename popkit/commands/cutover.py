"""`popkit cutover`: plan, show, carry out and record a cutover; what its verbs take, in both languages. The work is in `popkit.cutover`."""

from __future__ import annotations

from popkit.command_line.grammar import Argument, Family, Number, OneOf, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.command_line.places import case_argument
from popkit.cutover import command
from popkit.texts import Text

RUN = Text("the folder of the run, as 'popkit cutover plan' made it", "`popkit cutover plan` が作成した実行のフォルダー")
STEP = Text("a step by its number: 0, 1, 2, 2.4, …", "手順の番号: 0、1、2、2.4 など")
RPC = Text(
    "the node that builds, simulates and sends: env:NAME of a variable that holds its URL",
    "作成・シミュレーション・送信に使うノード。URL を入れた環境変数を env:NAME で指定",
)
SECOND = Text("a second node, of another provider, that vouches", "確認用の二つ目のノード（別の提供元）を env:NAME で指定")
WORKER = Text("the worker's URL, or env:NAME", "worker の URL、または env:NAME")
TOKEN = Text("the environment variable that holds the operator's token", "担当者のトークンを入れた環境変数の名前")
AUTHORITY = Text(
    "the authority's key: env:NAME of a variable that names its file, or cmd:COMMAND of a signer; left out for a multisig",
    "authority の鍵。鍵ファイルの場所を入れた環境変数を env:NAME で、署名コマンドを cmd:COMMAND で指定。マルチシグでは省略",
)
FUNDER = Text("the key that holds the tokens, where it is another", "トークンを持つ鍵（authority と異なる場合）")
WALLET = Text("a wallet of the operator's for the first claim (step 2.5)", "最初の claim に使う担当者のウォレット（手順 2.5）")


def _run() -> Argument:
    return Argument("run", words=RUN, type=Place("dir"))


def _peers() -> list[Option]:
    return [
        Option("--rpc", words=RPC, metavar="env:NAME"),
        Option("--second-rpc", words=SECOND, metavar="env:NAME"),
        Option("--worker", words=WORKER, metavar="URL"),
        Option("--worker-token-env", words=TOKEN, metavar="NAME"),
        Option("--authority-key", words=AUTHORITY, metavar="REF"),
        Option("--funder-key", words=FUNDER, metavar="REF"),
        Option("--wallet-key", words=WALLET, metavar="REF"),
    ]


PLAN = Verb(
    "plan",
    command.plan,
    [
        case_argument(),
        Option(
            "--grant",
            words=Text("the broken grant, or the beginning of its key", "壊れた grant（公開鍵またはその先頭）"),
            required=True,
            metavar="OLD",
        ),
        *_peers(),
        Option(
            "--amount",
            words=Text("base units for the new vault; else what is reckoned", "新しい vault への入金額（基本単位）。省略時は計算値"),
            type=Number(),
            metavar="N",
        ),
        Option("--event-title", words=Text("the new event's title; else the old one's", "新イベントの名称。省略時は元のもの"), metavar="T"),
        Option("--event-date", words=Text("the new event's date; else the old one's", "新イベントの日時。省略時は元のもの"), metavar="D"),
        Option("--event-host", words=Text("the new event's host; else the old one's", "新イベントの主催。省略時は元のもの"), metavar="H"),
        Option(
            "--start",
            words=Text(
                "the new grant's start; else the latest old period boundary", "新しい grant の開始（UNIX 秒）。省略時は直近の期間の境界"
            ),
            type=Number(),
            metavar="UNIX",
        ),
        Option(
            "--expires",
            words=Text(
                "the new grant's expiry, 0 for never; else the old one's", "新しい grant の期限（UNIX 秒、0 は無期限）。省略時は元と同じ"
            ),
            type=Number(),
            metavar="UNIX",
        ),
        Option(
            "--signer",
            words=Text("the worker's key, typed from a second source", "worker の鍵（別の情報源から確認して入力）"),
            metavar="KEY",
        ),
        Option("--reason", words=Text("why a refusal is overridden", "拒否を上書きする理由"), metavar="WHY"),
        Option(
            "--given-up",
            words=Text("a new grant that was abandoned before", "以前に放棄した新しい grant"),
            multiple=True,
            metavar="GRANT",
        ),
        Option(
            "--fee-cap",
            words=Text("lamports that one transaction may cost (100000)", "取引 1 件の手数料の上限（100000 lamports）"),
            type=Number(),
            metavar="N",
        ),
        Option(
            "--close-old",
            words=Text(
                "close the old grant for its tokens: read the harm on the plan page",
                "元の grant を閉じてトークンを回収（計画ページの害を確認）",
            ),
            is_flag=True,
        ),
        Option(
            "--offline",
            words=Text("a draft from the case alone, which can never be run", "ケースだけから作る下書き（実行不可）"),
            is_flag=True,
        ),
        Option(
            "--out",
            words=Text("the run to make; must not exist", "作成する実行のフォルダー（まだないこと）"),
            required=True,
            type=Place("dir"),
            metavar="RUN",
        ),
    ],
    summary=Text(
        "look at everything and plan; refuses with a reason, changes nothing", "すべてを確認して計画を作成（変更なし。拒否には理由を表示）"
    ),
    examples=(
        Example(
            "popkit cutover plan CASE --grant OLD --rpc env:RPC --second-rpc env:RPC2 --worker URL --worker-token-env TOKEN"
            " --authority-key env:KEY --out RUN",
            Text("the whole plan", "計画全体"),
        ),
        Example("popkit cutover plan CASE --grant OLD --offline --out DRAFT", Text("a draft to read", "読むだけの下書き")),
    ),
)
SHOW = Verb(
    "show",
    command.show_run,
    [_run(), Argument("step", words=STEP, required=False)],
    summary=Text("the plan, or one step, on one screen", "計画または一つの手順を一画面で表示"),
)
STATUS = Verb(
    "status",
    command.status,
    [_run()],
    summary=Text("where we are, what is next, what is outstanding, what waiting costs", "現在地、次の手順、未決着、待つことの代償を表示"),
)
STEP_VERB = Verb(
    "step",
    command.step,
    [
        _run(),
        Argument("step", words=STEP),
        Option(
            "--confirm",
            words=Text("carry it out: the token, a colon, the value looked up", "実行する: トークン、コロン、確認した値"),
            metavar="TOKEN:VALUE",
        ),
        Option(
            "--tick",
            words=Text("step 3: an item of its list was changed, and to what", "手順 3: 一覧の項目を差し替えたことと、その値"),
            multiple=True,
            metavar="N=VALUE",
        ),
        Option("--act", words=Text("carry out a step that changes nothing", "何も変更しない手順を実行"), is_flag=True),
        Option(
            "--wait-over",
            words=Text("step 0: freeze although proofs can still land", "手順 0: proof がまだ取り込まれうる状態でも停止"),
            is_flag=True,
        ),
        *_peers(),
    ],
    summary=Text(
        "dry: look, simulate, list what was not checked; with --confirm: act",
        "予行（確認・シミュレーション・未確認の一覧）。--confirm で実行",
    ),
)
RESOLVE = Verb(
    "resolve",
    command.resolve,
    [_run(), Argument("step", words=STEP), *_peers()],
    summary=Text("an outcome that is not known: look again, and what a person can decide", "結果不明の手順を再確認し、選択肢を表示"),
)
EXPORT = Verb(
    "export",
    command.export,
    [
        _run(),
        Argument("step", words=STEP),
        Option(
            "--for", "target", words=Text("for whose tool", "どのツール用か"), type=OneOf(("multisig",)), required=True, metavar="multisig"
        ),
        Option("--out", words=Text("the file to write", "書き出すファイル"), required=True, type=Place(), metavar="FILE"),
    ],
    summary=Text("the inner instructions of a step, for a multisig's own tool", "手順の内部命令をマルチシグのツール用に書き出す"),
)
READBACK = Verb(
    "readback",
    command.readback,
    [
        _run(),
        Argument("step", words=STEP),
        Argument("address", words=Text("the proposal's transaction account", "提案のトランザクションアカウント")),
        *_peers(),
    ],
    summary=Text("compare a multisig's proposal with the plan", "マルチシグの提案を計画と比較"),
)
ABANDON = Verb(
    "abandon",
    command.abandon,
    [
        _run(),
        Option("--confirm", words=Text("the token, a colon, the value looked up", "トークン、コロン、確認した値"), metavar="TOKEN:VALUE"),
        *_peers(),
    ],
    summary=Text(
        "give the new grant up (poisoned or wrong): close it, keep the record", "新しい grant を放棄（汚染・誤り）。閉じて記録を残す"
    ),
)
RECORD = Verb(
    "record",
    command.record,
    [_run()],
    summary=Text("write cutover.json as of now", "現時点の cutover.json を書き出す"),
)
VERIFY = Verb(
    "verify",
    command.verify,
    [
        Argument("record", words=Text("a cutover.json", "cutover.json"), type=Place()),
        Option("--rpc", words=Text("a node of your own choice", "自分で選んだノード"), required=True, metavar="URL"),
    ],
    summary=Text("hold somebody's record against the chain", "記録をチェーンと照合"),
)
VERB = Family(
    "cutover",
    (PLAN, SHOW, STATUS, STEP_VERB, RESOLVE, EXPORT, READBACK, ABANDON, RECORD, VERIFY),
    summary=Text("carry out a cutover, one confirmed step at a time", "切り替えを、確認しながら一手順ずつ実行"),
    about=Text(
        "Without --confirm nothing is changed anywhere. Exit codes: 0 done, or a clean dry run; 1 stopped, or landed and failed; "
        "2 wrong usage or confirmation; 3 an outcome that is not known.",
        "--confirm なしでは何も変更しません。終了コード: 0 完了または支障のない予行、1 中止または取り込み後の失敗、"
        "2 使い方か確認の誤り、3 結果不明。",
    ),
    examples=(
        Example("popkit cutover status RUN", Text("where we are and what is next", "現在地と次の手順")),
        Example("popkit cutover step RUN 2", Text("a dry run of step 2", "手順 2 の予行")),
    ),
)
