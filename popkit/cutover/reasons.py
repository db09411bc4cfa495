"""Every reason for which a cutover is refused or a step stops: what is seen, what to do, and
whether a person may override it.

A reason's code is API: it stands in the journal and in `Stopped.code`. A person overrides one with
`--reason "…"`, which the plan keeps; what would send a transaction to the wrong place, or carry a
copied key over, cannot be overridden.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.cutover.errors import Stopped
from popkit.texts import Text, names_in


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason. `reason` and `advice` may name the same values."""

    code: str
    reason: Text
    advice: Text
    overridable: bool = False

    def stop(self, **values: object) -> Stopped:
        """The error, with what was seen. Raises ValueError where a text names a value that was not
        given.
        """

        def filled(text: Text) -> Text | str:
            named = {name: values[name] for name in names_in(text)}
            return text(**named) if named else text()

        return Stopped(self.code, filled(self.reason), filled(self.advice))  # type: ignore[arg-type]


_TABLE = (
    # What the case says
    Reason(
        "not_in_case",
        Text(
            "the case does not hold the grant {grant}", "ケースに grant {grant} が含まれていません"
        ),
        Text(
            "collect a case of that grant, and plan from it",
            "その grant のケースを収集し、そこから計画してください",
        ),
    ),
    Reason(
        "nothing_broken",
        Text(
            "the grant is {verdict}: nothing stands in the way of its next claim, so nothing needs "
            "a cutover",
            "grant は {verdict} です。次の claim を妨げるものがなく、切り替えは不要です",
        ),
        Text(
            "do nothing; where you know more than the case does, say so with --reason",
            "何もしないでください。ケースにない事情を知っている場合は --reason で示してください",
        ),
        overridable=True,
    ),
    Reason(
        "undecided",
        Text(
            "the grant is inconclusive: {because}",
            "grant は inconclusive（判断できない）です: {because}",
        ),
        Text(
            "collect what is missing ('popkit diagnose CASE' names it) and plan again; where you "
            "know more, say so with --reason",
            "不足している証拠（`popkit diagnose CASE` が示します）を集めて計画し直してください。"
            "ケースにない事情を知っている場合は --reason で示してください",
        ),
        overridable=True,
    ),
    Reason(
        "in_flight",
        Text(
            "the grant is in_flight: a proof can still land until {until}",
            "grant は in_flight です。proof は {until} までまだ取り込まれる可能性があります",
        ),
        Text(
            "wait until then, collect again, and diagnose; pausing now would burn the proof",
            "その時刻まで待ち、収集と診断をやり直してください。いま一時停止すると proof が失われます",
        ),
    ),
    Reason(
        "superseded",
        Text(
            "the grant was replaced by {grant} already",
            "この grant はすでに {grant} に置き換えられています",
        ),
        Text(
            "collect and diagnose {grant}; a second new grant would split the claimers",
            "{grant} を収集して診断してください。新しい grant を二つ作ると参加者が分かれてしまいます",
        ),
        overridable=True,
    ),
    Reason(
        "later_grant",
        Text(
            "the authority made the grant {grant} of this mint after the last good claim: somebody "
            "may have cut over already",
            "最後の正常な claim のあとに、同じ authority がこの mint の grant {grant} を作っています。すでに切り替え済みの可能性があります",
        ),
        Text(
            "ask who made it; where it has nothing to do with this incident, say so with --reason",
            "誰が作ったか確認してください。この障害と無関係なら --reason で示してください",
        ),
        overridable=True,
    ),
    Reason(
        "stale_case",
        Text(
            "the case is {age} minutes old; a plan needs one of the last {limit} minutes",
            "ケースが {age} 分前のものです。計画には {limit} 分以内のケースが必要です",
        ),
        Text(
            "collect again, and plan from the new case",
            "収集し直し、新しいケースから計画してください",
        ),
    ),
    Reason(
        "case_behind",
        Text(
            "the chain has moved since the case was collected: {field} was {was}, is {now}",
            "ケースの収集後にチェーンが変わりました。{field} は {was} でしたが、いまは {now} です",
        ),
        Text(
            "collect again, and plan from the new case",
            "収集し直し、新しいケースから計画してください",
        ),
    ),
    Reason(
        "grant_expired",
        Text(
            "the old grant's time is over: a new grant on its terms would refuse every claim",
            "元の grant の有効期限が切れています。同じ条件の新しい grant はすべての claim を拒否します",
        ),
        Text(
            "decide with the school until when claims are to be taken, and plan with --expires "
            "UNIX_SECONDS (0: never)",
            "いつまで claim を受け付けるか学校と決め、--expires UNIX秒（0 は無期限）を付けて計画してください",
        ),
    ),
    Reason(
        "grant_closed",
        Text(
            "the old grant is closed: it has no terms to copy",
            "元の grant は閉じられており、引き継ぐ条件がありません",
        ),
        Text("make a grant by hand, and record why", "grant を別途作成し、理由を記録してください"),
    ),
    # Keys
    Reason(
        "copied_key",
        Text(
            "somebody else signs with the worker's key ({cause}); a new grant under the same key "
            "would break again",
            "worker の鍵で別の誰かが署名しています（{cause}）。同じ鍵では新しい grant も壊れます",
        ),
        Text(
            "give the worker a new key first, then plan with --signer NEW_PUBLIC_KEY",
            "先に worker の鍵を新しくし、--signer 新しい公開鍵 を付けて計画してください",
        ),
    ),
    Reason(
        "signer_not_given",
        Text(
            "the worker says that it signs as {worker}, the last accepted claims were signed by "
            "{accepted}: "
            "a status page alone decides no key",
            "worker は {worker} で署名すると答えていますが、最後に受理された claim の署名者は {accepted} です。"
            "ステータス画面だけでは鍵を決められません",
        ),
        Text(
            "ask whoever rotated the key for the public key, and type it: --signer PUBLIC_KEY",
            "鍵を更新した担当者に公開鍵を確認し、--signer 公開鍵 で入力してください",
        ),
    ),
    Reason(
        "worker_signs_otherwise",
        Text(
            "the plan's signer would be {planned}, the worker signs as {worker}: every claim would "
            "be refused",
            "計画の署名者は {planned} ですが、worker は {worker} で署名します。すべての claim が拒否されます",
        ),
        Text(
            "find out which key is right before anything is changed",
            "変更の前に、どちらの鍵が正しいか確認してください",
        ),
    ),
    Reason(
        "signer_not_known",
        Text("the key that must sign is not known: {why}", "署名すべき鍵がわかりません: {why}"),
        Text(
            "ask whoever deployed the worker, and type it: --signer PUBLIC_KEY",
            "worker の配置担当者に確認し、--signer 公開鍵 で入力してください",
        ),
    ),
    Reason(
        "zero_signer",
        Text(
            "the signer is 32 zero bytes, which the program accepts and nobody can sign for",
            "署名者がゼロ 32 バイトです。プログラムは受け付けますが、誰も署名できません",
        ),
        Text("type the worker's public key", "worker の公開鍵を入力してください"),
    ),
    Reason(
        "wrong_authority",
        Text(
            "the old grant's authority is {authority}, the key given is {given}",
            "元の grant の authority は {authority} ですが、指定された鍵は {given} です",
        ),
        Text("name the key of {authority}", "{authority} の鍵を指定してください"),
    ),
    Reason(
        "multisig_authority",
        Text(
            "the authority {authority} is off the curve: no single key can sign for it",
            "authority {authority} は曲線上になく、単独の鍵では署名できません",
        ),
        Text(
            "plan without --authority-key; 'popkit cutover export RUN STEP --for multisig' writes "
            "what its own tool needs",
            "--authority-key なしで計画してください。`popkit cutover export RUN STEP --for multisig` "
            "が専用ツール用の内容を書き出します",
        ),
    ),
    Reason(
        "other_grants_hit",
        Text(
            "changing the signer would stop grants that work now: {grants}",
            "署名者を変更すると、いま動いている grant が止まります: {grants}",
        ),
        Text(
            "find out which worker serves them; where it is meant, say so with --reason",
            "それらをどの worker が扱うか確認してください。意図した変更なら --reason で示してください",
        ),
        overridable=True,
    ),
    # The cluster
    Reason(
        "wrong_cluster",
        Text(
            "the case is of {case}, the endpoint is of {found}",
            "ケースは {case}、接続先は {found} です",
        ),
        Text(
            "name an endpoint of the case's cluster",
            "ケースと同じクラスターの接続先を指定してください",
        ),
    ),
    Reason(
        "forked_node",
        Text(
            "{endpoint} is a fork of a cluster on somebody's machine (surfnet {version})",
            "{endpoint} は誰かのマシン上のフォークです（バージョン {version}）",
        ),
        Text("name a node of the cluster itself", "クラスター本体のノードを指定してください"),
    ),
    Reason(
        "endpoints_disagree",
        Text(
            "the two endpoints disagree on {what}: {first} and {second}",
            "二つの接続先で {what} が食い違います: {first} と {second}",
        ),
        Text(
            "find out which one is right; wait where one lags",
            "どちらが正しいか確認してください。遅れているだけなら待ってください",
        ),
    ),
    Reason(
        "one_endpoint",
        Text(
            "both endpoints are {endpoint}: one node cannot vouch for itself",
            "接続先が両方とも {endpoint} です。同じノードでは確認になりません",
        ),
        Text(
            "name a second endpoint of another provider",
            "別の提供元の接続先を二つ目に指定してください",
        ),
    ),
    Reason(
        "clock_off",
        Text(
            "the machine's clock and the cluster's differ by {seconds} s; {limit} s are allowed",
            "このマシンとクラスターの時計が {seconds} 秒ずれています。許容は {limit} 秒です",
        ),
        Text(
            "set this machine's clock, or wait until the node has caught up",
            "このマシンの時計を合わせるか、ノードが追いつくまで待ってください",
        ),
    ),
    Reason(
        "no_account_list",
        Text(
            "neither {first} nor {second} lists the grants of the authority: {why}",
            "{first} も {second} も authority の grant の一覧を返しません: {why}",
        ),
        Text(
            "name a node that answers getProgramAccounts; without it nobody knows who was ahead, "
            "or whom a new signer hits",
            "getProgramAccounts に応答するノードを指定してください。一覧がないと、先に作られた grant や署名者変更の影響がわかりません",
        ),
    ),
    Reason(
        "history_missing",
        Text(
            "the newest known signature of the old grant, {signature}, is not on this cluster: it "
            "was reset, or is another",
            "元の grant の最新の署名 {signature} がこのクラスターにありません。リセットされたか、別のクラスターです",
        ),
        Text(
            "name an endpoint of the case's cluster",
            "ケースと同じクラスターの接続先を指定してください",
        ),
    ),
    Reason(
        "other_program",
        Text(
            "the program is not as it was: {field} was {was}, is {now}",
            "プログラムが変わっています。{field} は {was} でしたが、いまは {now} です",
        ),
        Text(
            "find out who upgraded it, collect and diagnose again, and plan anew",
            "誰が更新したか確認し、収集と診断をやり直して計画し直してください",
        ),
    ),
    # The new grant
    Reason(
        "address_taken",
        Text(
            "the new grant's {what} {address} is in use: {how}",
            "新しい grant の {what} {address} はすでに使われています: {how}",
        ),
        Text(
            "find out who used it: another operator may be ahead of you; where nobody is, plan for "
            "another address with "
            "--given-up NEW_GRANT",
            "誰が使ったか確認してください。別の担当者が先に進めているかもしれません。"
            "そうでなければ --given-up 新しいgrant を付け、別のアドレスで計画し直してください",
        ),
    ),
    Reason(
        "address_poisoned",
        Text(
            "the worker issued a proof for the new grant {grant} already ({count}): its head is "
            "not GENESIS any more",
            "worker が新しい grant {grant} の proof をすでに {count} 件発行しており、head が GENESIS ではありません",
        ),
        Text(
            "give this address up and plan anew with --given-up {grant} (a run that has made the "
            "grant: 'popkit cutover abandon' first)",
            "--given-up {grant} を付けて計画し直してください（すでに grant を作った実行では、先に `popkit cutover abandon`）",
        ),
    ),
    Reason(
        "future_start",
        Text(
            "the start {start} is after now ({now}): the first proof would be burnt",
            "開始 {start} が現在（{now}）より後です。最初の proof が失われます",
        ),
        Text(
            "leave --start out: the latest period boundary is taken; where the old grant itself "
            "has not begun, wait until it has",
            "--start を省略してください。直近の期間の境界を使います。元の grant がまだ始まっていない場合は、開始まで待ってください",
        ),
    ),
    Reason(
        "start_off_calendar",
        Text(
            "the start {start} is no period boundary of the old grant: the calendar of tickets "
            "would shift",
            "開始 {start} は元の grant の期間の境界ではありません。参加券の日程がずれます",
        ),
        Text(
            "leave --start out, or say why with --reason",
            "--start を省略するか、--reason で理由を示してください",
        ),
        overridable=True,
    ),
    # Money
    Reason(
        "poor_source",
        Text(
            "the account {source} holds {held} base units, {needed} are needed; the old vault "
            "holds {vault}",
            "口座 {source} の残高は {held}、必要なのは {needed} です（基本単位）。元の vault の残高は {vault} です",
        ),
        Text(
            "fill it, give a smaller --amount, or close the old grant first (--close-old: read its "
            "harm on the plan page)",
            "補充するか、--amount を減らすか、元の grant を先に閉じてください（--close-old: 計画ページの注意を読んでください）",
        ),
    ),
    Reason(
        "no_source",
        Text(
            "{funder} has no account of the mint ({source})",
            "{funder} にはこの mint の口座（{source}）がありません",
        ),
        Text(
            "name the key that holds the tokens with --funder-key",
            "トークンを持つ鍵を --funder-key で指定してください",
        ),
    ),
    Reason(
        "poor_payer",
        Text(
            "{payer} holds {held} lamports; the steps cost {needed}, and what is left must be zero "
            "or at least {rent}",
            "{payer} の残高は {held} lamports です。必要額は {needed} で、残りはゼロまたは {rent} 以上でなければなりません",
        ),
        Text("send it SOL, and plan again", "SOL を補充し、計画し直してください"),
    ),
    # The worker
    Reason(
        "worker_unreachable",
        Text("the worker does not answer: {why}", "worker が応答しません: {why}"),
        Text(
            "check its URL and token; a new event cannot be made without it",
            "URL とトークンを確認してください。worker なしでは新しいイベントを作れません",
        ),
    ),
    Reason(
        "another_worker",
        Text(
            "the worker's audit list does not continue the case's: {why}",
            "worker の監査一覧がケースの続きになっていません: {why}",
        ),
        Text(
            "name the worker of the case; where it was restored, collect and diagnose again",
            "ケースの worker を指定してください。復元された場合は収集と診断をやり直してください",
        ),
    ),
    Reason(
        "worker_not_ready",
        Text(
            "the worker cannot write its audit chain: {why}",
            "worker が監査チェーンを書き込めません: {why}",
        ),
        Text(
            "mend it first: it answers 503 to whoever wants a proof",
            "先に修復してください。proof の要求に 503 を返します",
        ),
    ),
    Reason(
        "worker_frozen",
        Text(
            "the worker has frozen this operator (423)",
            "worker がこの担当者を凍結しています（423）",
        ),
        Text(
            "have the master unlock the account, then plan again",
            "管理者に凍結の解除を依頼し、計画し直してください",
        ),
    ),
    Reason(
        "worker_warns",
        Text(
            "the worker would warn of these words in the event: {words}",
            "イベントの次の語に worker が警告を出します: {words}",
        ),
        Text("give another --event-title", "別の --event-title を指定してください"),
    ),
    Reason(
        "worker_limited",
        Text(
            "the worker limits this operator: {why}",
            "worker がこの担当者の操作を制限しています: {why}",
        ),
        Text("wait as long as it says, then go on", "示された時間だけ待ってから続けてください"),
    ),
    Reason(
        "already_linked",
        Text(
            "the event {event} is linked to the new grant already",
            "イベント {event} がすでに新しい grant に紐付いています",
        ),
        Text(
            "find out who made it: another operator may be ahead of you",
            "誰が作ったか確認してください。別の担当者が先に進めているかもしれません",
        ),
    ),
    Reason(
        "event_incomplete",
        Text(
            "the worker shows no event of the old grant to copy: {missing}",
            "コピー元となる元の grant のイベントの項目が worker にありません: {missing}",
        ),
        Text(
            "give what is missing: --event-title, --event-date, --event-host",
            "不足分を指定してください: --event-title、--event-date、--event-host",
        ),
    ),
    # Steps
    Reason(
        "stale_plan",
        Text(
            "the plan is {age} hours old; {limit} hours are allowed",
            "計画が {age} 時間前のものです。許容は {limit} 時間です",
        ),
        Text(
            "collect, diagnose and plan anew; the old plan stays readable",
            "収集・診断・計画をやり直してください。古い計画はそのまま読めます",
        ),
    ),
    Reason(
        "draft",
        Text(
            "the plan is a draft made from the case alone", "計画はケースだけから作った下書きです"
        ),
        Text("plan again without --offline", "--offline なしで計画し直してください"),
    ),
    Reason(
        "too_early",
        Text("step {step} waits for step {before}", "手順 {step} の前に手順 {before} が必要です"),
        Text("do step {before} first", "先に手順 {before} を実行してください"),
    ),
    Reason(
        "drift",
        Text("{field} was {was}, is {now}", "{field} は {was} でしたが、いまは {now} です"),
        Text(
            "find out who changed it; plan anew where it is right",
            "誰が変えたか確認してください。正しい変更なら計画し直してください",
        ),
    ),
    Reason(
        "still_in_flight",
        Text(
            "{count} can still land until {until}: pausing now would burn them",
            "{count}が {until} までまだ取り込まれる可能性があります。いま一時停止すると失われます",
        ),
        Text(
            "wait until then (popkit waits once, at most 600 s), then decide: --wait-over freezes "
            "all the same",
            "その時刻まで待ってください（popkit は一度だけ、最長 600 秒待ちます）。それでも停止する場合は --wait-over を付けてください",
        ),
    ),
    Reason(
        "other_answer",
        Text(
            "the new case says {now}, the plan was made for {was}",
            "新しいケースの判定は {now} ですが、計画は {was} に対するものです",
        ),
        Text("plan anew from the new case", "新しいケースから計画し直してください"),
    ),
    Reason(
        "given_up",
        Text("the run was given up", "この実行は放棄されました"),
        Text(
            "plan anew; the record of this one stays",
            "計画し直してください。この実行の記録は残ります",
        ),
    ),
    Reason(
        "unknown_outcome",
        Text(
            "an attempt of step {step} was sent, and how it ended is not known",
            "手順 {step} の送信結果がわかっていません",
        ),
        Text(
            "'popkit cutover resolve RUN {step}' looks again and shows what a person can decide",
            "`popkit cutover resolve RUN {step}` で再確認し、選択肢を確認してください",
        ),
    ),
    Reason(
        "expired",
        Text(
            "the transaction of step {step} is proven to have expired on both endpoints: it never "
            "landed, and nothing was changed",
            "手順 {step} のトランザクションは、二つの接続先で失効が確認されました。取り込まれておらず、何も変わっていません",
        ),
        Text(
            "run the step again; it needs a new confirmation",
            "手順をもう一度実行してください。新しい確認が必要です",
        ),
    ),
    Reason(
        "landed_failed",
        Text(
            "the transaction landed and failed: {error}",
            "トランザクションは取り込まれましたが失敗しました: {error}",
        ),
        Text(
            "read the error; nothing is retried by itself, and a new attempt needs a new "
            "confirmation",
            "エラーを確認してください。自動では再試行しません。再試行には新しい確認が必要です",
        ),
    ),
    Reason(
        "would_fail",
        Text("the simulation fails: {error}", "シミュレーションが失敗しました: {error}"),
        Text("find out why before anything is signed", "署名する前に原因を確認してください"),
    ),
    Reason(
        "other_effect",
        Text(
            "the simulation changes {what} otherwise than planned: expected {was}, got {now}",
            "シミュレーションの結果が計画と違います。{what}: 予定 {was}、結果 {now}",
        ),
        Text(
            "stop: something that the plan does not know is at work",
            "中止してください。計画にない要因があります",
        ),
    ),
    Reason(
        "wrong_result",
        Text(
            "{what} is not as planned after the step: expected {was}, got {now}",
            "手順のあとの {what} が計画と違います。予定 {was}、結果 {now}",
        ),
        Text(
            "stop, and show this to a second person; the journal holds both",
            "中止し、別の担当者に見せてください。両方の値がジャーナルにあります",
        ),
    ),
    Reason(
        "fee_above_cap",
        Text(
            "the fee would be {fee} lamports; the plan allows {cap}",
            "手数料が {fee} lamports になります。計画の上限は {cap} です",
        ),
        Text(
            "wait until fees fall, or plan anew with a higher --fee-cap",
            "手数料が下がるのを待つか、--fee-cap を上げて計画し直してください",
        ),
    ),
    Reason(
        "not_green",
        Text(
            "the new grant is not verified: {why}", "新しい grant の検証が終わっていません: {why}"
        ),
        Text(
            "do not announce it and do not close the old event",
            "告知せず、元のイベントも閉じないでください",
        ),
    ),
)

REASONS: dict[str, Reason] = {reason.code: reason for reason in _TABLE}


def stop(code: str, **values: object) -> Stopped:
    """The error of a reason by its code."""
    return REASONS[code].stop(**values)
