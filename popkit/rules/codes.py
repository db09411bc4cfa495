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
    is_optional: bool = False

    @property
    def source(self) -> str:
        """Where the rule comes from."""
        return self.rule


_NOTHING = Text("Nothing to do.", "対応は不要です。")
_TABLE = (
    # the chain
    # the grant
    Code("cutover_declared", "info", rule="design §8", context=("observed",),
         meaning=Text("A record of a cutover says which grant took over, or which signer; this is what its authors state.",
                      "切り替えの記録が、切り替え先の grant または signer を示しています。記録の作成者の申告です。"),
         advice=Text("Settle the record's open points; check it from outside with popkit cutover verify.",
                     "記録の未完了の手順を片付け、`popkit cutover verify` で外部からも確認してください。")),
    Code("cutover_contradicted", "critical", rule="design §5, §8",
         meaning=Text("The chain contradicts the record of a cutover: the record or the switch is not what it is said to be.",
                      "チェーンが切り替えの記録と矛盾しています。記録または切り替えが、申告のとおりではありません。"),
         advice=Text("Do not send anybody to the new grant by this record; compare it with the plan and the journal of the run.",
                     "この記録をもとに利用者を新しい grant へ誘導しないでください。計画およびジャーナルと照合してください。")),
    # the era
    # the worker
    # audit and receipts
    Code("audit_entry_edited", "critical", rule="reference §3.8",
         meaning=Text("A row of the worker's audit chain does not hash to what it says.",
                      "worker の監査チェーンの行のハッシュが、記載された値と一致しません。"),
         advice=Text("Keep the export; compare with the bucket; find out who wrote the storage.",
                     "エクスポートを保存し、バケットと比較し、ストレージを誰が書き換えたか調べてください。")),
    Code("audit_entry_removed", "critical", rule="reference §3.8, §3.10",
         meaning=Text("The audit entry that later evidence names is missing from the worker's records.",
                      "後の証拠が参照している監査エントリが、worker の記録にありません。"),
         advice=Text("Keep the export; look for the entry in the bucket, which may still hold it.",
                     "エクスポートを保存し、バケットにエントリが残っていないか確認してください。")),
    Code("audit_end_differs", "warning", rule="reference §3.10; invariant W2",
         meaning=Text("What the worker states of its newest entry (a stored head, an empty list) is not what its entries say.",
                      "最新のエントリについての worker の記載（保存された head、空の一覧）が、エントリの内容と一致しません。"),
         advice=Text("Compare with the bucket and with ticket receipts: the worker crashed between two writes, or rows were "
                     "deleted from the end.",
                     "バケットや参加券レシートと比較してください。2 回の書き込みの間で worker が停止したか、"
                     "末尾の行が削除されています。")),
    Code("audit_chain_restarted", "warning", rule="reference §3.8, §3.10",
         meaning=Text("The audit chain begins more than once: entries before the later beginning are not linked to it.",
                      "監査チェーンの先頭が複数あります。後の先頭より前のエントリは、そこにつながっていません。"),
         advice=Text("Find out when and why the worker's storage was emptied.",
                     "worker のストレージがいつ、なぜ空になったか調べてください。")),
    Code("audit_stream_link_wrong", "critical", rule="reference §3.8; invariant W1",
         meaning=Text("An entry's stream link does not name the entry before it in its stream.",
                      "エントリの stream リンクが、同じ stream の直前のエントリを指していません。"),
         advice=Text("Find out who wrote the entry: a worker that stopped between two writes can name an older entry (a "
                     "warning), no worker names another stream's or none.",
                     "エントリを誰が書いたか調べてください。書き込みの途中で停止した worker "
                     "が古いエントリを指すことはありますが（warning）、別の stream を指すことや何も指さないことはありません。")),
    Code("bucket_object_edited", "critical", rule="reference §3.9",
         meaning=Text("A bucket object is not the canonical payload of an entry under its key.",
                      "バケットのオブジェクトが、キーに対応するエントリの正規化された内容と異なります。"),
         advice=Text("Keep the export; look for the entry in the storage, which may still hold it.",
                     "エクスポートを保存し、ストレージにエントリが残っていないか確認してください。")),
    Code("bucket_object_missing", "critical", rule="reference §3.9",
         meaning=Text("The bucket object that an entry's sinks name is missing from an otherwise whole export.",
                      "エントリの書き込み先の記録が示すバケットのオブジェクトが、他は完全なエクスポートの中にありません。"),
         advice=Text("Export the bucket again; if the object is still missing, it was removed.",
                     "バケットを再エクスポートしてください。それでもなければ、オブジェクトは削除されています。")),
    Code("bucket_orphan", "info", rule="reference §3.9", context=("observed",),
         meaning=Text("No later entry names a bucket object: it is the trace of an append that failed.",
                      "後のエントリから参照されないオブジェクトがバケットにあります。失敗した追記の跡です。"),
         advice=_NOTHING),
    Code("bucket_export_partial", "warning", rule="reference §3.9",
         meaning=Text("The bucket export is only a part: its listing stopped, began late or lost a page, or most objects are "
                      "missing.",
                      "バケットのエクスポートが一部だけです。一覧の取得が途中で止まったか、途中から始まったか、"
                      "ページが抜けたか、大半のオブジェクトがありません。"),
         advice=Text("Export the whole bucket, to the end of its listing (a page holds at most 1,000 keys), and collect again.",
                     "一覧の最後まで（1 ページは最大 1,000 キー）バケット全体をエクスポートし、再収集してください。")),
    Code("export_altered_by_tool", "warning", rule="design §7",
         meaning=Text("Every text of a source differs in one way that can be undone, and every hash holds without it: a tool "
                      "did it.",
                      "ある記録のすべてのテキストに、元に戻せる同じ変更があり、それを除けばすべてのハッシュが一致します。"
                      "ツールによる変更です。"),
         advice=Text("Export again as the finding says, so that the bytes are the worker's; the entries count as read.",
                     "所見に従って再エクスポートし、worker のバイト列のままにしてください。エントリは読み取ったとおりに扱います。")),
    Code("bucket_folder_not_exported", "info", rule="reference §3.9", context=("not_checked",),
         meaning=Text("One of the bucket's two folders is not in the export: the second copy of every entry was not compared.",
                      "バケットの 2 つのフォルダーの一方がエクスポートにありません。各エントリの 2 つ目の写しは比較していません。"),
         advice=Text("Export audit/immutable/ whole, entry/ and stream/.",
                     "audit/immutable/ 全体（entry/ と stream/）をエクスポートしてください。")),
    Code("storage_export_partial", "warning", rule="reference §3.8",
         meaning=Text("The export of the worker's storage is only a part: a row that it lacks may never have been exported.",
                      "worker のストレージのエクスポートが一部だけです。ない行は、"
                      "そもそもエクスポートされていない可能性があります。"),
         advice=Text("List the whole storage again, every page of it and without a prefix, and collect again.",
                     "プレフィックスを指定せず、全ページにわたってストレージ全体を再取得し、再収集してください。")),
    Code("audit_list_gap", "warning", rule="reference §3.7, §3.8",
         meaning=Text("A row of the worker's list follows an entry that nothing in the evidence holds, though older rows are "
                      "listed.",
                      "worker の一覧の行が、証拠のどこにもないエントリに続いています。それより古い行は一覧にあります。"),
         advice=Text("Export the bucket or the storage: a clock that was wrong once puts a row outside the newest fifty, and so "
                     "does a removal.",
                     "バケットまたはストレージをエクスポートしてください。時計の狂いで行が最新 50 件から外れたか、"
                     "行が削除されています。")),
    Code("storage_copy_missing", "warning", rule="reference §3.8",
         meaning=Text("The storage holds one of an audit entry's two copies.",
                      "監査エントリの 2 つの写しのうち、ストレージに一方しかありません。"),
         advice=Text("Compare with the bucket: the worker crashed between two writes, or somebody edited the storage.",
                     "バケットと比較してください。2 回の書き込みの間で worker が停止したか、ストレージが編集されています。")),
    Code("history_record_false", "critical", rule="reference §3.2",
         meaning=Text("A history record of the worker's storage does not hash to what it says.",
                      "worker のストレージの履歴の記録のハッシュが、記載された値と一致しません。"),
         advice=Text("Keep the export; find out who wrote the storage.",
                     "エクスポートを保存し、ストレージを誰が書き換えたか調べてください。")),
    Code("ticket_receipt_bad", "critical", rule="reference §3.6",
         meaning=Text("A ticket receipt does not say what its audit entry says.",
                      "参加券レシートの内容が、監査エントリと異なります。"),
         advice=Text("Ask where the receipt came from; the audit entry counts.",
                     "レシートの入手元を確認してください。監査エントリを正とします。")),
    Code("ticket_receipt_server_accepts", "critical", rule="reference §3.6",
         meaning=Text("The worker's own check would pass a false ticket receipt.",
                      "偽の参加券レシートを、worker 自身の検査は通してしまいます。"),
         advice=Text("Do not rely on the worker's verify endpoint for this receipt.",
                     "このレシートについて worker の検証 API の結果に頼らないでください。")),
    Code("ticket_receipt_unchecked", "info", rule="reference §3.6", context=("not_checked",),
         meaning=Text("A ticket receipt's entry is not in the evidence, so that only the receipt's own hash was checked.",
                      "参加券レシートのエントリが証拠にないため、レシート自体のハッシュだけを検査しました。"),
         advice=Text("Export the immutable bucket.", "監査バケットをエクスポートしてください。")),
    Code("ticket_receipt_reused", "warning", rule="reference §1.11",
         meaning=Text("One ticket receipt stands behind several accepted claims.",
                      "1 つの参加券レシートが、受理された複数の claim に使われています。"),
         advice=Text("Count the tickets, not the claims: the worker takes a receipt again and again, in another period or for "
                     "another wallet.",
                     "claim ではなく参加券を数えてください。worker は同じレシートを、"
                     "別の期間や別のウォレットでも何度でも受け付けます。")),
    Code("ticket_receipt_unseen", "info", rule="invariant X1", context=("not_checked",),
         meaning=Text("The ticket receipt that a proof commits to is not in the evidence, and its entry does not suffice to "
                      "make it again.",
                      "proof が指す参加券レシートが証拠になく、エントリから作り直すこともできません。"),
         advice=Text("Export the worker's storage, or collect the participants' receipts.",
                     "worker のストレージをエクスポートするか、参加者のレシートを収集してください。")),
    Code("server_verdict_differs", "info", rule="reference §3.10",
         meaning=Text("The worker's own audit-integrity answer differs from what was recomputed.",
                      "worker 自身の audit-integrity の応答が、再計算の結果と異なります。"),
         advice=Text("Use the recomputed result: the server's false alarms and misses are known.",
                     "再計算の結果を使ってください。サーバーの誤検知と見逃しは既知のものです。")),
    # records against the chain
    Code("record_unbacked", "critical", rule="invariant X3",
         meaning=Text("The worker holds a record of an on-chain claim that the chain does not hold.",
                      "worker に on-chain claim の記録がありますが、チェーンにその claim がありません。"),
         advice=Text("Do not count the ticket: the worker never checks what a client reports.",
                     "この参加券を数えないでください。worker はクライアントの申告を検証しません。")),
    Code("record_unchecked", "warning", rule="invariant X3",
         meaning=Text("A record of an on-chain claim could not be held against the chain as it was read.",
                      "on-chain claim の記録を、読み取ったチェーンと照合できませんでした。"),
         advice=Text("Collect the chain again, the receipt account that the record names included.",
                     "記録が示すレシートアカウントを含めて、チェーンを再収集してください。")),
    Code("record_contradicted", "critical", rule="invariant X3",
         meaning=Text("A record names a transaction that is another's, or was refused.",
                      "記録が示すトランザクションが、別の人のものか、拒否されたものです。"),
         advice=Text("Do not count the ticket.", "この参加券を数えないでください。")),
    Code("claim_unsynced", "info", rule="invariant X4",
         meaning=Text("The worker holds no record of a claim that landed.", "取り込まれた claim の記録が worker にありません。"),
         advice=Text("Count the ticket, and report the claim to the worker.",
                     "参加券として数え、claim を worker に登録してください。")),
    # the evidence itself
    Code("evidence_contradictory", "critical", rule="design §4",
         meaning=Text("Two lines of the evidence say different things of one key.",
                      "証拠の 2 つの行が、同じキーについて異なる内容になっています。"),
         advice=Text("Keep both; collect again from a second source.", "両方を保存し、別の取得元から再収集してください。")),
    Code("outcome_contradictory", "critical", rule="design §4",
         meaning=Text("The node's list and its transaction disagree on slot or outcome.",
                      "ノードの一覧とトランザクションで、スロットまたは結果が食い違っています。"),
         advice=Text("Collect again from a second node.", "別のノードから再収集してください。")),
    Code("evidence_unreadable", "warning", rule="design §4", context=("observed", "not_checked"),
         meaning=Text("A part of the evidence could not be read and was left out.", "証拠の一部を読み取れず、除外しました。"),
         advice=Text("Collect that part again.", "その部分を再収集してください。")),
    Code("time_in_milliseconds", "info", rule="design §4",
         meaning=Text("Times stand in milliseconds, as JavaScript's clock gives them, where unix seconds are expected; they "
                      "were read as such.",
                      "UNIX 秒であるべき時刻が、JavaScript の時計のようにミリ秒で書かれています。ミリ秒として読みました。"),
         advice=_NOTHING),
    Code("transaction_missing", "warning", rule="design §4", context=("observed", "not_checked"),
         meaning=Text("The node listed a transaction and did not give it.",
                      "ノードの一覧にあるトランザクションが、ノードから得られませんでした。"),
         advice=Text("Collect the transaction from another node.", "別のノードからトランザクションを収集してください。")),
)  # fmt: skip

CODES: dict[str, Code] = {row.code: row for row in _TABLE}
