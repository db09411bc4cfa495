"""What each step says of itself: what it goes by, what can go wrong, what it does, what waiting
costs, what to do when nobody knows.
"""

from __future__ import annotations

from typing import NamedTuple

from popkit.texts import Text


class StepWords(NamedTuple):
    """The words of a step; `heading` is the runbook's."""

    heading: Text
    takes: Text
    risk: Text
    effect: Text
    waiting: Text
    ambiguous: Text


LOOKED = Text("Nothing is left behind: run it again.", "何も残りません。もう一度実行してください。")

STEPS: dict[str, StepWords] = {
    "0": StepWords(
        Text("Step 0: freeze the scope", "Step 0: 影響範囲を凍結"),
        Text(
            "a new look at the cluster and the worker, a new case, the announcement, given out "
            "first",
            "クラスターと worker の再確認、新しいケース、先に出す告知",
        ),
        Text(
            "Pausing burns a proof that is on its way: such proofs are waited for, at most once "
            "and at most 600 s.",
            "一時停止すると、送信途中の proof が失われます。そのため一度だけ、最長 600 秒待ちます。",
        ),
        Text(
            "The old grant refuses every claim from now on. Its chain, receipts and transactions "
            "stay as they are.",
            "元の grant は以後すべての claim を拒否します。チェーン・レシート・取引はそのまま残ります。",
        ),
        Text(
            "Until then every claimer's proof is lost, and each asks in vain.",
            "それまでの間、参加者の proof はすべて失われ、claim は通りません。",
        ),
        Text(
            "Look again: pausing twice does no harm. 'popkit cutover resolve' shows whether it "
            "landed.",
            "もう一度確認してください。二度の一時停止に害はありません。`popkit cutover resolve` が取り込みの有無を示します。",
        ),
    ),
    "1": StepWords(
        Text("Step 1: the last good claim", "Step 1: 直近正常点を特定"),
        Text("the findings of the new case", "新しいケースの判定結果"),
        Text("None: nothing is changed.", "なし。何も変更しません。"),
        Text(
            "The last good claim and the first bad one, with their places, go into the record.",
            "直近正常点と最初の異常を、証拠の場所とともに記録します。",
        ),
        Text("None.", "なし。"),
        LOOKED,
    ),
    "2.0": StepWords(
        Text(
            "Step 2.0: close the old grant (only where its vault holds the only tokens)",
            "Step 2.0: 元の grant を閉じる（他にトークンがない場合のみ）",
        ),
        Text(
            "sealed evidence of the old grant, and a person's decision",
            "封印済みの証拠と、担当者の判断",
        ),
        Text(
            "The old Grant and vault accounts are deleted for good, which is against “leave the "
            "old chain as it is”.",
            "元の grant と vault のアカウントが永久に消えます。「過去チェーンを書き換えない」という原則に反します。",
        ),
        Text(
            "The vault's tokens go to the authority's own account. PopState, receipts and all "
            "transactions stay.",
            "vault のトークンは authority の口座に戻ります。PopState・レシート・取引はすべて残ります。",
        ),
        Text(
            "None: without it the new vault cannot be filled.",
            "なし。ただし、これを行わないと新しい vault に入金できません。",
        ),
        Text(
            "Look again: a closed grant is gone, so it shows.",
            "もう一度確認してください。閉じた grant は存在しないため、結果はわかります。",
        ),
    ),
    "2": StepWords(
        Text(
            "Step 2: switch to a new grant (create, fund, signer in one transaction)",
            "Step 2: 新しい grant に切り替える（作成・入金・署名者を一つの取引で）",
        ),
        Text(
            "the plan, and the addresses proven unused once more",
            "計画と、未使用であることの再確認",
        ),
        Text(
            "Tokens move. Carried out twice it would be paid twice: the marker, or the program "
            "itself, refuses the second.",
            "トークンが動きます。二度実行すれば二重払いになりますが、マーカーまたはプログラム自体が二度目を拒否します。",
        ),
        Text(
            "A new grant starts from GENESIS with the old terms; its vault is filled; pop-config "
            "names the plan's signer.",
            "新しい grant が元の条件で GENESIS から始まり、vault に入金され、pop-config が計画の署名者を指します。",
        ),
        Text(
            "Who is owed in the running period can be served only until it ends.",
            "今の期間の未受領者に渡せるのは、期間が終わるまでです。",
        ),
        Text(
            "Never send another one: 'popkit cutover resolve' finds whether it landed, or proves "
            "that it expired.",
            "別の取引を送らないでください。`popkit cutover resolve` が取り込みの有無を調べ、失効していればそれを証明します。",
        ),
    ),
    "2.1": StepWords(
        Text("Step 2.1: create the new grant", "Step 2.1: 新しい grant を作成"),
        Text(
            "the plan, and the addresses proven unused once more",
            "計画と、未使用であることの再確認",
        ),
        Text(
            "Before the era of init a second create rewrites a running grant, without a word.",
            "`init` 以前のプログラムでは、二度目の作成が動いている grant を黙って書き換えます。",
        ),
        Text(
            "A new grant with the old terms and an empty vault.",
            "元の条件の新しい grant と空の vault ができます。",
        ),
        Text(
            "Who is owed in the running period can be served only until it ends.",
            "今の期間の未受領者に渡せるのは、期間が終わるまでです。",
        ),
        Text(
            "Never send another one: 'popkit cutover resolve' settles it.",
            "別の取引を送らないでください。`popkit cutover resolve` で決着させます。",
        ),
    ),
    "2.2": StepWords(
        Text("Step 2.2: fund the new grant", "Step 2.2: 新しい grant に入金"),
        Text(
            "the new grant as step 2.1 made it; the funder's key",
            "手順 2.1 で作成した grant と、入金者の鍵",
        ),
        Text(
            "Carried out twice it is paid twice: the marker refuses the second.",
            "二度実行すれば二重払いになりますが、マーカーが二度目を拒否します。",
        ),
        Text("The vault holds the plan's amount.", "vault に計画の金額が入ります。"),
        Text("No claim can be paid until then.", "それまで claim に応じられません。"),
        Text(
            "Never send another one: 'popkit cutover resolve' settles it.",
            "別の取引を送らないでください。`popkit cutover resolve` で決着させます。",
        ),
    ),
    "2.3": StepWords(
        Text("Step 2.3: name the signer in pop-config", "Step 2.3: pop-config に署名者を設定"),
        Text(
            "the key of the last accepted claims, or one typed from a second source",
            "最後に受理された claim の鍵、または別の情報源から入力した鍵",
        ),
        Text(
            "Every grant of this authority changes at once.",
            "この authority のすべての grant に一度に影響します。",
        ),
        Text(
            "Proofs of the plan's signer are accepted, others are not.",
            "計画の署名者の proof が受理され、ほかは拒否されます。",
        ),
        Text(
            "Every claim is refused until then (InvalidPopSigner).",
            "それまで claim はすべて拒否されます（InvalidPopSigner）。",
        ),
        Text(
            "Look again: naming the same key twice changes nothing.",
            "もう一度確認してください。同じ鍵を二度設定しても変わりません。",
        ),
    ),
    "2.4": StepWords(
        Text("Step 2.4: link a new event", "Step 2.4: 新しいイベントに紐付け"),
        Text(
            "the plan's event; the worker's event list, looked at first",
            "計画のイベントと、先に確認する worker のイベント一覧",
        ),
        Text(
            "An event cannot be linked again or taken back. Whoever's token makes it sees the "
            "claimants.",
            "イベントは紐付け直せず、取り消せません。作成したトークンの持ち主が参加者を閲覧できます。",
        ),
        Text(
            "The worker has one event more, linked to the new grant.",
            "worker に、新しい grant に紐付くイベントが一つ増えます。",
        ),
        Text("Nobody can take part until then.", "それまで誰も参加できません。"),
        Text(
            "Never post again: look at the event list first ('popkit cutover resolve').",
            "再送しないでください。先にイベント一覧を確認します（`popkit cutover resolve`）。",
        ),
    ),
    "2.5": StepWords(
        Text(
            "Step 2.5: the first claim, by a wallet of the operator's (canary)",
            "Step 2.5: 担当者のウォレットによる最初の claim（カナリア）",
        ),
        Text(
            "a wallet of yours with some SOL; the event of step 2.4",
            "SOL のある自分のウォレットと、手順 2.4 のイベント",
        ),
        Text(
            "Once its proof is issued it must land within 600 s, else the new grant is broken "
            "under strict rules.",
            "proof の発行後 600 秒以内に取り込まれないと、strict の規則では新しい grant も壊れます。",
        ),
        Text(
            "One ticket is paid to your wallet, and the whole way is checked.",
            "自分のウォレットに参加券が 1 枚入り、全経路を確認できます。",
        ),
        Text(
            "Do not announce the event before it is done.", "これが終わるまで告知しないでください。"
        ),
        Text(
            "Go on with the same proof: 'popkit cutover step RUN 2.5' takes up where it stopped.",
            "同じ proof で続けます。`popkit cutover step RUN 2.5` が止まった所から再開します。",
        ),
    ),
    "3": StepWords(
        Text("Step 3: fork handling", "Step 3: 過去チェーンの扱い（「Fork handling」）"),
        Text(
            "the old grant's accounts, the heads, the case's digest",
            "元の grant のアカウント、head、ケースのダイジェスト",
        ),
        Text(
            "None: the old chain stays read-only, as evidence.",
            "なし。過去チェーンは証跡として read-only のまま残します。",
        ),
        Text(
            "Shows that the old accounts are unchanged but for the pause, and lists the links and "
            "QR codes to change.",
            "一時停止以外に元のアカウントが変わっていないことを示し、差し替えるリンクと QR の一覧を出します。",
        ),
        Text(
            "Old links lead people to a grant that refuses them.",
            "古いリンクは、claim を拒否する grant に人を導きます。",
        ),
        LOOKED,
    ),
    "4": StepWords(
        Text("Step 4: verification afterwards", "Step 4: 事後検証"),
        Text(
            "the new grant, collected through the second endpoint",
            "二つ目の接続先から収集した新しい grant",
        ),
        Text(
            "“Nobody claimed yet” is not green.",
            "「まだ誰も claim していない」は合格ではありません。",
        ),
        Text(
            "The first claims are verified without trusting the server, here and by the "
            "stand-alone checker; the worker's own checks are recorded beside.",
            "最初の claim を、サーバーを信用せずに検証します（ここと独立検証の両方）。worker 自身の確認結果も並べて記録します。",
        ),
        Text("Announce only when this is green.", "合格するまで告知しないでください。"),
        LOOKED,
    ),
    "4.1": StepWords(
        Text("Step 4.1: close the old event", "Step 4.1: 元のイベントを閉じる"),
        Text("step 4 is green", "手順 4 が合格していること"),
        Text("Closing cannot be undone.", "閉じると元に戻せません。"),
        Text("The old event takes nobody any more.", "元のイベントは誰も受け付けなくなります。"),
        Text(
            "People go on taking part in an event whose grant refuses them.",
            "claim を拒否する grant のイベントに、人が参加し続けます。",
        ),
        Text(
            "Look at the event: closing it twice does no harm.",
            "イベントを確認してください。二度閉じても害はありません。",
        ),
    ),
}
