"""`popkit collect`: what to ask whom, checked before anything is asked or written."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from popkit.command_line.grammar import Number, Option, Place, Verb
from popkit.command_line.help import Example
from popkit.errors import EXIT_CANNOT_TELL, EXIT_FINE, UsageError
from popkit.output import show, tell
from popkit.texts import Language, Text

if TYPE_CHECKING:
    from popkit.collecting.options import Options
    from popkit.collecting.peer import Conduct

SUMMARY = Text(
    "turn a live system, or exports of it, into a case, and state how complete it is",
    "稼働中のシステムまたはエクスポートからケースを作り、どこまで揃っているかを表示",
)
RPC = Text(
    "a Solana node; env:NAME reads the URL from an environment variable",
    "Solana ノード。env:NAME なら URL を環境変数から読みます",
)
SECOND = Text(
    "another provider's node: its lists are held against the first one's",
    "別の事業者のノード。その一覧を 1 つ目のノードの一覧と突き合わせます",
)
HEADER = Text(
    "a header for the nodes, its value from the environment",
    "ノードに送るヘッダー。値は環境変数から読みます",
)
WORKER = Text("the worker", "worker（api-worker）の URL")
TOKEN = Text(
    "the environment variable that holds the operator's token",
    "運用者のトークンが入っている環境変数",
)
TICKETS = Text(
    "ask the worker for each ticket receipt; every ask appends an audit entry",
    "参加券レシートを 1 件ずつ worker に問い合わせます。問い合わせのたびに監査エントリが 1 件増えます",
)
GRANT = Text(
    "a grant, or AUTHORITY,MINT,GRANT_ID; again for more",
    "grant、または AUTHORITY,MINT,GRANT_ID。繰り返し指定できます",
)
EVENT = Text(
    "an event of the worker, for its grant; again for more",
    "worker のイベント。その grant を収集します。繰り返し指定できます",
)
PROGRAM = Text(
    "list the whole program too: shows which program was deployed when",
    "プログラム全体の一覧も取得します。どの版がいつデプロイされたかが分かります",
)
FROM = Text("exports: folders, archives, files", "エクスポート: フォルダー、アーカイブ、ファイル")
EXTEND = Text(
    "an earlier case: what it holds is taken over, and what is newer is asked for",
    "以前のケース。その内容を引き継ぎ、新しい分だけを取得します",
)
OUT = Text("the case to make; must not exist", "作成するケース。まだ存在しないパス")
NAME = Text("the case's name; by default that of --out", "ケースの名前。既定では --out の名前")
COLLECTED_AT = Text(
    "with --from alone: when the exports were made, if they do not say so",
    "--from だけのとき: エクスポートに書かれていなければ、その作成時刻",
)
RATE = Text(
    "requests to a node in any such window (8/1)", "この時間枠あたりのノードへのリクエスト数（8/1）"
)
LIMIT = Text(
    "calls of a method, those in a batch each (every=40/10)",
    "メソッドごとの呼び出し数。バッチの中は 1 件ずつ数えます（every=40/10）",
)
BATCH = Text(
    "transactions asked for in one request (40); shrinks when the node wants it",
    "1 リクエストで要求するトランザクション数（40）。ノードに合わせて減ります",
)
PAGE = Text("signatures a page (1000)", "1 ページの署名数（1000）")
PARALLEL = Text("requests at once (4)", "同時リクエスト数（4）")
ATTEMPTS = Text(
    "failures in a row before a node is given up (8)", "ノードを諦めるまでの連続失敗回数（8）"
)
TIMEOUT = Text("for one answer (60)", "1 回の応答を待つ秒数（60）")
DRY_RUN = Text(
    "say what would be asked, and ask nothing",
    "何を問い合わせるかだけを表示し、問い合わせはしません",
)
SEAL = Text(
    "ask nothing more: seal what an interrupted collection has, stating what is missing",
    "これ以上問い合わせず、中断した収集の内容で封をし、足りないものを記録します",
)

NOTHING = Text(
    "nothing to collect from: give --rpc URL, --worker URL or --from PATH",
    "収集元がありません。--rpc URL、--worker URL、--from PATH のいずれかを指定してください",
)
WHICH = Text(
    "--rpc: say which grants, with --grant PUBKEY, --event ID or --extend CASE",
    "--rpc: 対象の grant を --grant PUBKEY、--event ID、--extend CASE のいずれかで指定してください",
)
NEEDS = Text("{flag} needs {other}", "{flag} には {other} も必要です")
OWN_CLOCK = Text(
    "--collected-at is for exports alone: with --rpc the cluster's own clock is read",
    "--collected-at はエクスポートだけのときに使います。--rpc ではクラスターの時計を読みます",
)
AT_LEAST_ONE = Text(
    "{flag} {number}: expected at least 1", "{flag} {number}: 1 以上を指定してください"
)
SECONDS = Text(
    "--timeout {number}: expected a number of seconds above 0",
    "--timeout {number}: 0 より大きい秒数を指定してください",
)
LARGEST_PAGE = Text(
    "--page {number}: a node gives at most 1000 signatures a page",
    "--page {number}: ノードが 1 ページで返す署名は最大 1000 件です",
)
NO_SUCH = Text(
    "{path}: no such file or directory", "{path}: そのようなファイルやディレクトリはありません"
)
NO_KEY = Text("--program-id {key} is not a public key", "--program-id {key} は公開鍵ではありません")
SHAPE = Text("{flag}: expected {shape}", "{flag}: {shape} の形で指定してください")
STOPPED = Text(
    "stopped; what was received is kept in {folder}, and the same command goes on",
    "停止しました。受信した分は {folder} に残っており、同じコマンドで続きから再開できます",
)
EXAMPLES = (
    Example(
        "popkit collect --rpc env:POPKIT_RPC --worker https://tickets.example --worker-token-env "
        "WORKER_TOKEN --grant PUBKEY --out CASE",
        Text(
            "a live system; secrets stay in the environment",
            "稼働中のシステムから。秘密情報は環境変数に置きます",
        ),
    ),
    Example(
        "popkit collect --from bucket-export/ storage.jsonl --out CASE",
        Text("exports alone", "エクスポートだけから作ります"),
    ),
)


def run(language: Language, dry_run: bool, **given: Any) -> int:
    """Collect, or say what would be asked; returns 0 when the case is complete, 3 when something
    could not be had.
    """
    from popkit.collecting.collect import collect
    from popkit.collecting.progress import Progress
    from popkit.pages import terminal_collection

    options = options_of(SimpleNamespace(**given))
    if dry_run:
        show(terminal_collection.dry_run(options, language))
        return EXIT_FINE
    try:
        collected = collect(options, Progress(sys.stderr))
    except KeyboardInterrupt:
        tell("")
        tell(f"popkit: {STOPPED(folder=f'{options.out}.collecting').in_language(language)}")
        raise
    show(terminal_collection.summary(collected, language))
    return EXIT_FINE if collected.complete else EXIT_CANNOT_TELL


def options_of(args: SimpleNamespace) -> Options:
    """The parameters of a collection, checked. Raises UsageError before anything is asked or
    written.
    """
    from popkit.collecting.address import bearer, read_address
    from popkit.collecting.names import read_grant
    from popkit.collecting.options import WORKER_CONDUCT, Options
    from popkit.protocol.keys import PROGRAM_ID, is_pubkey

    exports = tuple(Path(path) for path in args.exports)
    _check(args, exports)
    program = args.program_id or PROGRAM_ID
    if not is_pubkey(program):
        raise UsageError(NO_KEY(key=repr(program[:60])))
    headers = dict(_pair(text, "--rpc-header", "NAME=VARIABLE") for text in args.rpc_header)
    worker = read_address(args.worker) if args.worker else None
    if worker is not None and args.worker_token_env:
        worker = bearer(worker, args.worker_token_env)
    out = Path(args.out)
    return Options(
        out=out,
        name=args.name or out.name,
        rpc=read_address(args.rpc, headers) if args.rpc else None,
        second=read_address(args.second_rpc, headers) if args.second_rpc else None,
        worker=worker,
        has_token=bool(args.worker_token_env),
        grants=tuple(sorted({read_grant(text, program) for text in args.grant})),
        events=tuple(sorted(set(args.event))),
        list_program=args.program,
        exports=exports,
        extend=Path(args.extend) if args.extend else None,
        program_id=program,
        collected_at=args.collected_at,
        conduct=_conduct(args),
        worker_conduct=replace(WORKER_CONDUCT, timeout=args.timeout),
        batch=args.batch,
        page=args.page,
        parallel=args.parallel,
        seal_now=args.seal_now,
        tickets=args.ticket_receipts,
    )


def _conduct(args: SimpleNamespace) -> Conduct:
    """How fast a node is asked, and how often again."""
    from popkit.collecting.limits import read_rate
    from popkit.collecting.peer import Conduct

    limits = {
        method: read_rate(rate)
        for method, rate in (_pair(text, "--limit", "METHOD=N/SECONDS") for text in args.limit)
    }
    conduct = Conduct(
        attempts=args.attempts,
        timeout=args.timeout,
        methods={m: r for m, r in limits.items() if m != "every"},
    )
    if args.rate:
        conduct = replace(conduct, requests=read_rate(args.rate))
    return replace(conduct, every_method=limits["every"]) if "every" in limits else conduct


def _check(args: SimpleNamespace, exports: tuple[Path, ...]) -> None:
    """What does not go together, said before anything is asked."""
    if not args.rpc and not args.worker and not exports:
        raise UsageError(NOTHING())
    if args.rpc and not (args.grant or args.event or args.extend):
        raise UsageError(WHICH())
    for flag, value, needs, has in (
        ("--event", args.event, "--worker", args.worker),
        ("--second-rpc", args.second_rpc, "--rpc", args.rpc),
        ("--ticket-receipts", args.ticket_receipts, "--worker", args.worker),
        ("--worker-token-env", args.worker_token_env, "--worker", args.worker),
        ("--extend", args.extend, "--rpc or --from", args.rpc or exports),
    ):
        if value and not has:
            raise UsageError(NEEDS(flag=flag, other=needs))
    if args.collected_at is not None and args.rpc:
        raise UsageError(OWN_CLOCK())
    for flag, number in (
        ("--batch", args.batch),
        ("--page", args.page),
        ("--parallel", args.parallel),
        ("--attempts", args.attempts),
    ):
        if number < 1:
            raise UsageError(AT_LEAST_ONE(flag=flag, number=number))
    if args.timeout <= 0:
        raise UsageError(SECONDS(number=f"{args.timeout:g}"))
    if args.page > 1000:
        raise UsageError(LARGEST_PAGE(number=args.page))
    for path in (*exports, *([Path(args.extend)] if args.extend else [])):
        if not path.exists():
            raise UsageError(NO_SUCH(path=path))


def _pair(text: str, flag: str, shape: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise UsageError(
            SHAPE(flag=flag, shape=shape)
        )  # never quoted: somebody may have put the secret itself there
    return name, value


VERB = Verb(
    "collect",
    run,
    [
        Option("--rpc", words=RPC, metavar="URL"),
        Option("--second-rpc", words=SECOND, metavar="URL"),
        Option("--rpc-header", words=HEADER, multiple=True, metavar="NAME=VARIABLE"),
        Option("--worker", words=WORKER, metavar="URL"),
        Option("--worker-token-env", words=TOKEN, metavar="NAME"),
        Option("--ticket-receipts", words=TICKETS, is_flag=True),
        Option("--grant", words=GRANT, multiple=True, metavar="PUBKEY"),
        Option("--event", words=EVENT, multiple=True, metavar="ID"),
        Option("--program", words=PROGRAM, is_flag=True),
        Option("--from", "exports", words=FROM, multiple=True, metavar="PATH…", type=Place()),
        Option("--extend", words=EXTEND, metavar="CASE", type=Place("dir")),
        Option("--out", words=OUT, required=True, metavar="CASE", type=Place("dir")),
        Option("--name", words=NAME, metavar="NAME"),
        Option("--collected-at", words=COLLECTED_AT, type=Number(), metavar="UNIX"),
        Option("--program-id", words=PROGRAM, hidden=True),
        Option("--rate", words=RATE, metavar="N[/SECONDS]"),
        Option("--limit", words=LIMIT, multiple=True, metavar="METHOD=N[/SECONDS]"),
        Option("--batch", words=BATCH, type=Number(), default=40, metavar="N"),
        Option("--page", words=PAGE, type=Number(), default=1000, metavar="N"),
        Option("--parallel", words=PARALLEL, type=Number(), default=4, metavar="N"),
        Option("--attempts", words=ATTEMPTS, type=Number(), default=8, metavar="N"),
        Option(
            "--timeout", words=TIMEOUT, type=Number(whole=False), default=60.0, metavar="SECONDS"
        ),
        Option("--dry-run", words=DRY_RUN, is_flag=True),
        Option("--seal-now", words=SEAL, is_flag=True),
    ],
    order=10,
    summary=SUMMARY,
    examples=EXAMPLES,
    many=("--from",),
)
