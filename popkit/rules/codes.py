"""The table of finding codes: what each means, how grave it is, what to do, and which context its findings carry.

Codes are API: they stand in findings.json, in the report and in `popkit explain`.
"""

from __future__ import annotations

from dataclasses import dataclass

from popkit.texts import Text

SEVERITIES = ("info", "warning", "critical")


@dataclass(frozen=True, slots=True)
class Code:
    """One finding code. `context` names the fields that a finding of it fills: expected, observed, and what was not checked."""

    code: str
    severity: str
    meaning: Text
    advice: Text
    rule: str
    context: tuple[str, ...] = ("expected", "observed")

    @property
    def source(self) -> str:
        """Where the rule comes from."""
        return self.rule


_NOTHING = Text("Nothing to do.", "対応は不要です。")
_TABLE = (
    # the chain
    Code("chain_broken", "critical", rule="runbook §4",
         meaning=Text("The program will accept no proof that the worker issues now on this grant.",
                      "この grant では、worker が今後発行する proof をプログラムが受理しません。"),
         advice=Text("Freeze the event (Step 0), note the last good claim (Step 1), cut over to a new grant (Step 2).",
                     "イベントを凍結し（Step 0）、直近正常点を控え（Step 1）、新しい grant に切り替えてください（Step 2）。")),
    Code("proof_lost", "warning", rule="program §1.7",
         meaning=Text("A proof was issued and never accepted, and it can land no more.",
                      "発行された proof が受理されないまま、もう取り込まれなくなりました。"),
         advice=Text("Give the holder a claim on the new grant: nothing brings the proof back.",
                     "この proof は元に戻せません。持ち主には新しい grant で claim してもらってください。")),
    Code("proof_repeated", "warning", rule="program §1.2",
         meaning=Text("Two proofs on the way are for one claimer and period: at most one of them can land, and what follows the "
                      "other cannot.",
                      "未確定の proof のうち 2 件が同じ claimer と期間のものです。取り込まれるのは一方だけで、もう一方に続く "
                      "proof は取り込まれません。"),
         advice=Text("The chain cannot heal: freeze the event and cut over.",
                     "チェーンは回復しません。イベントを凍結し、切り替えてください。")),
    Code("proof_out_of_period", "warning", rule="program §1.7",
         meaning=Text("A proof on the way is for a period that was over when it was issued, or that begins too late for it.",
                      "未確定の proof の期間が、発行時にすでに終わっていたか、有効期限内に始まりません。"),
         advice=Text("The program refuses the proof whenever it is sent: freeze the event and cut over.",
                     "この proof はいつ送信しても拒否されます。イベントを凍結し、切り替えてください。")),
    Code("chain_read_early", "warning", rule="design §5",
         meaning=Text("The case holds something younger than the last second at which the proofs on the way could land.",
                      "未確定の proof が取り込まれ得た最後の時刻より新しいものが、ケースに含まれています。"),
         advice=Text("Collect the chain again: whether those proofs landed is decided by now.",
                     "チェーンを再収集してください。これらの proof の結果はすでに確定しています。")),
    Code("anchor_unattested", "warning", rule="design §5; reference §3.7, trap 26",
         meaning=Text("Only an anchor shows this proof: somebody may have written the anchor by hand, or its request failed "
                      "after the head had moved.",
                      "この proof を示すのはアンカーだけです。アンカーが手で書かれたか、head "
                      "が動いた後にリクエストが失敗した可能性があります。"),
         advice=Text("Export the worker's storage: its head and history show whether the worker issued that proof.",
                     "worker のストレージをエクスポートしてください。head と履歴から、worker が発行した proof かどうか分かります。")),
    Code("claims_refused", "warning", rule="program §1.8: 6026, 6027, 6028",
         meaning=Text("A chain rule refused claims of the grant's issuer.",
                      "grant の発行者の claim が、チェーンの規則により拒否されました。"),
         advice=Text("See which proof the claims waited for, and whether the chain went on past them.",
                     "どの proof を待っていたか、チェーンがその後も続いたかを確認してください。")),
    Code("proof_burnt", "warning", rule="program §1.7",
         meaning=Text("A rule other than the chain's refused a proof on the chain's head, and the proof was never accepted.",
                      "チェーンの head の上の proof が、チェーン以外の規則で拒否され、受理されないまま失効しました。"),
         advice=Text("Fix the reason, which is a cause of the break, before the new grant opens.",
                     "拒否の理由が断絶の原因です。新しい grant を始める前に解消してください。")),
    Code("entry_unseen", "warning", rule="program §1.8",
         meaning=Text("The chain names an accepted claim whose transaction is not in the evidence.",
                      "チェーンが示す受理済みの claim のトランザクションが、証拠にありません。"),
         advice=Text("Collect again from another RPC node; until then the chain past that claim cannot be judged.",
                     "別の RPC ノードから再収集してください。それまで、この claim より先のチェーンは判定できません。")),
    Code("claim_unseen", "warning", rule="program §1.2",
         meaning=Text("A receipt account exists whose claim is in no transaction of the evidence.",
                      "レシートアカウントはありますが、対応する claim のトランザクションが証拠にありません。"),
         advice=Text("Collect again from another RPC node: a claim is missing, and under relaxed rules no link shows it.",
                     "別の RPC ノードから再収集してください。claim が欠けており、relaxed の規則ではリンクからは分かりません。")),
    Code("state_contradicts_claims", "critical", rule="invariants L9, L10",
         meaning=Text("PopState names a head that the accepted claims do not lead to.",
                      "PopState の head が、受理された claim をたどった結果と一致しません。"),
         advice=Text("Collect both again from a second node: one of the two is not what the chain holds.",
                     "どちらかがチェーンの実際の内容と異なります。別のノードから両方を再収集してください。")),
    Code("order_contradicts_links", "critical", rule="program §1.8",
         meaning=Text("An accepted strict claim does not stand where its links say it must.",
                      "strict の規則で受理された claim の位置が、リンクの示す位置と異なります。"),
         advice=Text("Collect the claim again from a second node: a slot or an outcome in the evidence is false.",
                     "証拠のスロットまたは結果に誤りがあります。別のノードから再収集してください。")),
    Code("period_claimed_twice", "critical", rule="program §1.7",
         meaning=Text("Two accepted claims hold one claimer and period, which one receipt cannot.",
                      "同じ claimer と期間の claim が 2 件受理されています。1 つのレシートではあり得ません。"),
         advice=Text("Collect both again from a second node: an outcome in the evidence is false.",
                     "証拠の結果に誤りがあります。別のノードから両方を再収集してください。")),
    Code("fork", "warning", rule="design §5",
         meaning=Text("Two different proofs stand on one parent under strict rules, or come from two issuers.",
                      "strict の規則の下で、または 2 つの発行者により、同じ親に異なる proof が 2 件続いています。"),
         advice=Text("Find out who issued each: two workers, a reset or restored storage.",
                     "それぞれの発行元を調べてください（worker の二重稼働、ストレージの初期化や復元など）。")),
    Code("race", "info", rule="program commit 5ceddca",
         meaning=Text("Two proofs stand on one parent under relaxed rules; no rule is broken.",
                      "relaxed の規則の下で、同じ親に proof が 2 件続いています。規則違反ではありません。"),
         advice=_NOTHING),
    Code("equivocation", "critical", rule="design §5",
         meaning=Text("Two different proofs were signed for one grant, claimer and period on one parent.",
                      "同じ grant、claimer、期間、親に対して、異なる proof が 2 件署名されています。"),
         advice=Text("Treat the signing key as used in two places until shown otherwise.",
                     "そうでないと確認できるまで、署名鍵が 2 か所で使われているものとして扱ってください。")),
    Code("repeat_proof", "info", rule="design §5",
         meaning=Text("One worker that takes its parents from the chain was asked twice for the same claim.",
                      "親をチェーンから取得する worker が、同じ claim について 2 回依頼されています。"),
         advice=_NOTHING),
    Code("foreign_issuer", "critical", rule="invariant X1",
         meaning=Text("A proof is validly signed but is not in the worker's complete audit chain: another issuer holds the key.",
                      "正しく署名された proof が、完全な worker の監査チェーンにありません。別の発行者が鍵を持っています。"),
         advice=Text("Stop every other worker, rotate the signing key, then cut over.",
                     "他の worker をすべて止め、署名鍵を交換してから切り替えてください。")),
    Code("issuer_unknown", "info", rule="invariant X1", context=("not_checked",),
         meaning=Text("The worker's records do not cover the time of this proof and therefore do not show who issued it.",
                      "worker の記録がこの proof の時期を含まないため、発行者が分かりません。"),
         advice=Text("Export the immutable bucket or the worker's storage.",
                     "監査バケットまたは worker のストレージをエクスポートしてください。")),
    Code("forged_transaction", "critical", rule="invariants L1-L4",
         meaning=Text("A transaction in the evidence cannot be what was executed: a signature or its proof does not verify.",
                      "証拠のトランザクションは、実際に実行されたものではあり得ません。署名または proof を検証できません。"),
         advice=Text("Collect the transaction again from a second node and keep both answers.",
                     "別のノードから再収集し、両方の応答を保存してください。")),
    Code("signer_mismatch", "critical", rule="program §1.7: 6018",
         meaning=Text("A proof, or the worker as it is configured, signs with a key that pop-config does not name.",
                      "proof または現在の設定の worker が、pop-config にない鍵で署名しています。"),
         advice=Text("Set pop-config to the worker's key before the new grant opens; a burnt proof stays burnt.",
                     "新しい grant を始める前に、pop-config を worker の鍵に設定してください。失効した proof は元に戻りません。")),
    Code("signer_unknown", "info", rule="invariant L5", context=("not_checked",),
         meaning=Text("The worker's present signer is not in the evidence, or older than pop-config's last change, so that the "
                      "two were not compared.",
                      "worker の現在の signer が証拠にないか、pop-config の最後の変更より古いため、照合していません。"),
         advice=Text("Collect pop-status and runtime-status again.", "pop-status と runtime-status を再収集してください。")),
    Code("stream_divergence", "warning", rule="program §1.8: 6027",
         meaning=Text("The worker's global and stream heads differ, which no sound worker writes.",
                      "worker の global と stream の head が異なります。正常な worker では起こりません。"),
         advice=Text("Find out who wrote the worker's storage.", "worker のストレージを誰が書き換えたか調べてください。")),
    Code("receipt_contradicts_claim", "critical", rule="invariant L6",
         meaning=Text("A receipt account does not say what the accepted claim says.",
                      "レシートアカウントの内容が、受理された claim と異なります。"),
         advice=Text("Collect both again from a second node.", "別のノードから両方を再収集してください。")),
    Code("receipt_address_wrong", "critical", rule="program §1.4",
         meaning=Text("An accepted claim names a receipt that its grant, claimer and period do not derive.",
                      "受理された claim のレシートが、その grant、claimer、期間から導出されるアドレスと異なります。"),
         advice=Text("Collect the transaction again from a second node: the program refuses such a claim.",
                     "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションを再収集してください。")),
    Code("amount_differs", "critical", rule="invariant L8",
         meaning=Text("A claim moved another amount than the grant's terms at that slot.",
                      "claim で動いた金額が、そのスロットの grant の条件と異なります。"),
         advice=Text("Collect the transaction and the grant's history again from a second node.",
                     "別のノードからトランザクションと grant の履歴を再収集してください。")),
    Code("period_differs", "critical", rule="invariant L7",
         meaning=Text("A claim landed in another period than the grant's terms at that slot allow.",
                      "claim の期間が、そのスロットの grant の条件と異なります。"),
         advice=Text("Collect the transaction and the grant's history again from a second node.",
                     "別のノードからトランザクションと grant の履歴を再収集してください。")),
    Code("claim_not_allowed", "critical", rule="program §1.7: 6007, 6008, 6009",
         meaning=Text("A claim was accepted while the grant was paused, over or not begun, by its terms at that slot.",
                      "そのスロットの条件では一時停止中、期限切れ、または開始前の grant で、claim が受理されています。"),
         advice=Text("Collect the transaction and the grant's history again from a second node: the program refuses such a claim.",
                     "プログラムはこのような claim を拒否するはずです。別のノードからトランザクションと grant "
                     "の履歴を再収集してください。")),
    Code("terms_unknown", "info", rule="invariants L7, L8", context=("not_checked",),
         meaning=Text("The grant's terms at some claims are not known: its creation, or a change of terms, is not in the evidence.",
                      "一部の claim の時点の grant の条件が分かりません。grant の作成または条件変更が証拠にありません。"),
         advice=Text("Collect the grant's whole history.", "grant の全履歴を収集してください。")),
    Code("noise", "info", rule="design §5", context=("observed",),
         meaning=Text("Refused attempts are not of the grant's issuer: anyone can land a failing transaction.",
                      "拒否された試行が、grant の発行者のものではありません。失敗するトランザクションは誰でも送れます。"),
         advice=_NOTHING),
    # the grant
    Code("grant_paused", "info", rule="program §1.7: 6007", context=("observed",),
         meaning=Text("The grant is paused.", "grant は一時停止中です。"),
         advice=Text("Unpause the grant only when its chain is sound.", "チェーンが健全な場合にだけ再開してください。")),
    Code("grant_closed", "info", rule="program §1.2", context=("observed",),
         meaning=Text("The grant is closed.", "grant は閉じられています。"),
         advice=Text("Use another grant: nobody can claim from a closed one.",
                     "閉じられた grant からは claim できません。別の grant を使ってください。")),
    Code("grant_over", "info", rule="program §1.7: 6008", context=("observed",),
         meaning=Text("The grant's expiry has passed.", "grant の期限が過ぎています。"),
         advice=Text("Use another grant: nobody can claim from an expired one.",
                     "期限切れの grant からは claim できません。別の grant を使ってください。")),
    Code("vault_low", "warning", rule="program §1.7: 6001",
         meaning=Text("The vault holds less than one period's amount.", "vault の残高が 1 期間分の金額に足りません。"),
         advice=Text("Fund the grant with fund_grant.", "fund_grant で grant に入金してください。")),
    Code("grant_reuse", "warning", rule="runbook §2",
         meaning=Text("Two events are linked to one grant.", "1 つの grant に 2 つのイベントが紐付けられています。"),
         advice=Text("Give the later event a grant of its own: one event, one grant.",
                     "後のイベントには専用の grant を用意してください（1イベント = 1grant）。")),
    Code("terms_rewritten", "info", rule="reference §5, incident 16",
         meaning=Text("create_grant was called again on a running grant: terms are judged as of the slot.",
                      "使用中の grant に対して create_grant が再実行されています。条件は各スロットの時点で判定しました。"),
         advice=Text("Check that the change was meant.", "意図した変更かどうか確認してください。")),
    Code("superseded", "info", rule="runbook Step 3", context=("observed",),
         meaning=Text("A later grant of the same authority and mint took over.",
                      "同じ authority と mint の後続の grant に切り替わっています。"),
         advice=Text("Keep the old chain read-only.", "旧チェーンは読み取り専用で保全してください。")),
    # the era
    Code("era_assumed", "info", rule="design §5",
         meaning=Text("No behaviour shows which program was deployed; the era is taken from the worker's model, the date or an "
                      "option.",
                      "どのプログラムがデプロイされていたかを示す挙動がありません。worker のモデル、日付、またはオプションから "
                      "era を仮定しました。"),
         advice=Text("Add a program dump or a log line of that time to settle it.",
                     "確定するには、プログラムのダンプまたは当時のログ行を追加してください。")),
    Code("era_contradictory", "warning", rule="design §5",
         meaning=Text("An older program's behaviour follows a newer one's.",
                      "新しいプログラムの後に、古いプログラムの挙動が見られます。"),
         advice=Text("Check for a rollback of the program, or false logs.",
                     "プログラムの巻き戻しまたはログの誤りがないか確認してください。")),
    # the worker
    Code("worker_records_missing", "warning", rule="design §5", context=("expected", "observed", "not_checked"),
         meaning=Text("Without the worker's records a proof that was issued and never sent does not show.",
                      "worker の記録がないため、発行されたが送信されなかった proof は分かりません。"),
         advice=Text("Export the immutable bucket or the worker's storage, or collect audit-logs.",
                     "監査バケットまたは worker のストレージをエクスポートするか、audit-logs を収集してください。")),
    Code("worker_records_stale", "warning", rule="design §5",
         meaning=Text("The worker's records end before the chain's last claim, or more than a minute before the chain was read.",
                      "worker の記録が、チェーンの最後の claim より前、またはチェーンの読み取りより 1 分以上前で終わっています。"),
         advice=Text("Collect the worker's records again.", "worker の記録を再収集してください。")),
    Code("wallets_report_break", "warning", rule="design §5",
         meaning=Text("Wallets reported refusals by a chain rule that never reached the chain.",
                      "ウォレットがチェーンの規則による拒否を報告していますが、オンチェーンには現れていません。"),
         advice=Text("Confirm with the worker's records: nobody signs a wallet's report.",
                     "ウォレットの報告には署名がありません。worker の記録で確認してください。")),
    Code("head_assumed", "info", rule="design §6, missing_entries",
         meaning=Text("The entry hash of an issued proof rests on an assumed second of issue.",
                      "発行済み proof の entry hash は、仮定した発行時刻に基づいています。"),
         advice=Text("Collect a storage export or the next anchor to confirm the second.",
                     "確認するには、ストレージのエクスポートまたは次のアンカーを収集してください。")),
    Code("history_record_missing", "critical", rule="reference §3.2, trap 26",
         meaning=Text("The worker's storage anchors an accepted proof and holds no history record of it, as of others.",
                      "worker のストレージに、受理された proof のアンカーはありますが、他の proof にはある履歴の記録がありません。"),
         advice=Text("Ask who could write to the storage or to /v1/audit/log: the anchor was written by hand, or the record was "
                     "taken out.",
                     "アンカーが手で書かれたか、記録が取り除かれています。ストレージや /v1/audit/log "
                     "に書き込めた人を確認してください。")),
)  # fmt: skip

CODES: dict[str, Code] = {row.code: row for row in _TABLE}
