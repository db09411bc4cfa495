"""The findings that follow from one grant's judgement."""

from __future__ import annotations

from collections.abc import Iterator

from popkit.causes.model import Cause
from popkit.chain.attempts import Attempt
from popkit.diagnosis.result import GrantDiagnosis
from popkit.facts import Facts
from popkit.protocol.errors import CHAIN_RULE_ERRORS
from popkit.protocol.message import SKEW_SECONDS
from popkit.protocol.pda import pop_state_address
from popkit.rules.claim_findings import ACCOUNTS, TRANSACTIONS
from popkit.rules.model import Finding
from popkit.texts import Listed, Moment, Sentence, Text, sentence
from popkit.verdict.incident import Incident, equivocations, lost_proofs
from popkit.wording import ATTEMPTS, PROOFS, REPORTS
from popkit.worker.line import STREAM_KEY

AUDIT_LOGS, STORAGE = "worker/audit-logs.json", "worker/storage.jsonl"

NOT_RETURNED = Text("the node did not return the transaction", "ノードがこのトランザクションを返していません")
_DECIDED_BY = {
    "worker model": Text("the worker's model", "worker のモデル"),
    "date": Text("the date", "日付"),
    "option": Text("an option", "オプション"),
}
_LIVING_HEAD = Text("a worker's head that can become the chain's head", "worker の head がチェーンの head になり得ること")
_ACCEPTED_OR_YOUNG = Text("an accepted claim, or an age of at most 600 s", "受理された claim があるか、発行から 600 秒以内であること")
_LOST = Text(
    "no accepted claim carries the proof, and it can land no more", "この proof を含む受理された claim はなく、もう取り込まれません"
)
_ON_HEAD = Text("claims on the chain's head", "チェーンの head に続く claim")
_ACCEPTED = Text("the program accepts the claim", "claim が受理されること")
_REFUSED_WITH = Text("the program refused the claim with {error}", "claim が {error} で拒否されました")
_REFUSED = Text("the program refused the claim", "claim が拒否されました")
_ITS_TRANSACTION = Text("the claim's transaction in the evidence", "claim のトランザクションが証拠にあること")
_ONE_CHILD = Text("one proof on this parent", "この親に続く proof が 1 件だけであること")
_CHILDREN = Text("{children} on this parent", "この親に{children}が続いています")
_ONE_PROOF = Text("one proof for a claimer and period on one parent", "同じ親の上で claimer と期間ごとに proof が 1 件だけであること")
_ALSO = Text("the proof {entry} as well", "proof {entry} もあります")
_BAD_SIGNATURES = Text("the transaction's own signatures do not verify", "トランザクション自体の署名を検証できません")
_BAD_PROOF = Text("the transaction's proof is not one that the program accepts", "プログラムが受理するはずのない proof が含まれています")
_AS_EXECUTED = Text("the transaction that was signed and executed", "署名され実行されたとおりのトランザクション")
_NAMED_SIGNER = Text("the signer in pop-config", "pop-config の signer")
_EQUAL_LINKS = Text("both links name one entry", "2 つのリンクが同じエントリを指すこと")
_ONE_EVENT = Text("one event", "イベントが 1 つだけであること")
_ATTESTED = Text(
    "the row of the anchor's request (API_POST_V1_SCHOOL_POP_PROOF, 200), a history record, or a signed message",
    "アンカーに対応するリクエストの行（API_POST_V1_SCHOOL_POP_PROOF、200）、履歴の記録、または署名されたメッセージ",
)
_ANCHOR_ALONE = Text("nothing but the anchor shows this proof", "この proof を示すのはアンカーだけです")
_HEAD_BY = Text("the head that the claims had led to by slot {slot}", "スロット {slot} までの claim が示す head")
_NO_POP_STATE = Text("the grant has no PopState", "この grant に PopState がありません")
_AN_ANCHOR = Text(
    "an anchor in the worker's audit chain, which is complete over that time", "その期間について完全な worker の監査チェーンにあるアンカー"
)
_NO_ANCHOR = Text(
    "the audit chain holds no entry for the proof's audit_hash {audit_hash}",
    "proof の audit_hash {audit_hash} に対応する監査エントリがありません",
)
_HISTORY_OF = Text("a record of {entry} under pop_chain:history:", "pop_chain:history: 以下にある {entry} の記録")
_EXPORT_ENDS_BEFORE = Text(
    "the export holds no such record, and its records end before that key",
    "その記録はなく、エクスポートの記録はそのキーより前で終わっています",
)
_ANCHOR_STORED = Text("the storage holds the proof's anchor and no record of it", "ストレージにはアンカーだけがあり、記録がありません")
_RECORDS_TO_HEAD = Text("records of the worker back to the chain's head", "チェーンの head まで遡る worker の記録")
_NO_RECORDS = Text("the case holds no records of the worker", "ケースに worker の記録がありません")
_SHORT_RECORDS = Text("the worker's records do not reach the chain's head", "worker の記録がチェーンの head まで届いていません")
_NEVER_SENT = Text("proofs that were issued and never sent", "発行されたが送信されなかった proof")
_RECORDS_TO_MOMENT = Text("records of the worker up to the chain's moment", "チェーンを読み取った時点までの worker の記録")
_OLDER_RECORDS = Text("the worker's records end before that moment", "worker の記録がその時点より前で終わっています")
_NO_REFUSAL = Text("wallets report no refusal", "ウォレットから拒否の報告がないこと")
_WHOLE_SECOND = Text(
    "the proof's second of issue is assumed: {at}, the anchor's whole second", "proof の発行時刻は、アンカーの秒である {at} と仮定しました"
)
_CONFIRMED_SECOND = Text("a record that confirms the second of issue", "発行時刻を確認できる記録")


def judgement_findings(facts: Facts, incident: Incident, diagnosis: GrantDiagnosis) -> Iterator[Finding]:
    """The findings that follow from a grant's judgement."""
    grant, judgement = diagnosis.grant, incident.judgement
    _line, chain = judgement.line, judgement.line.chain
    last = diagnosis.last_good
    here = (TRANSACTIONS, last["signature"] if last else grant)
    slot = last["slot"] if last else None
    if incident.broken:
        yield Finding("chain_broken", grant, here, _LIVING_HEAD(), judgement.because, slot=slot)
    for entry in lost_proofs(incident):
        place = (_told_in(incident, entry), entry)
        yield Finding(
            "proof_lost",
            grant,
            place,
            _ACCEPTED_OR_YOUNG(),
            _LOST(),
            severity="warning" if judgement.is_strict else "info",
        )
    yield from _proofs_of_one_period(incident)
    yield from _proofs_out_of_period(incident)
    yield from _unattested(incident)
    if incident.chain_refused:
        first = incident.chain_refused[0]
        refusals = sentence(
            "{attempts}, the first with {error} on the parent {parent}",
            "{attempts}があります。最初のものは親 {parent} に対して {error} で拒否されました",
            attempts=ATTEMPTS(len(incident.chain_refused)),
            error=first.error,
            parent=str(first.prev_hash)[:16],
        )
        yield Finding("claims_refused", grant, (TRANSACTIONS, first.signature), _ON_HEAD(), refusals, slot=first.slot)
    for attempt in incident.burnt:
        yield Finding(
            "proof_burnt",
            grant,
            (TRANSACTIONS, attempt.signature),
            _ACCEPTED(),
            _REFUSED_WITH(error=attempt.error) if attempt.error else _REFUSED(),
            slot=attempt.slot,
        )
    for entry in chain.unseen:
        yield Finding("entry_unseen", grant, (TRANSACTIONS, entry), _ITS_TRANSACTION(), NOT_RETURNED())
    yield from _contradicting_states(incident)
    for attempt in chain.misordered:
        where = (TRANSACTIONS, attempt.signature)
        wanted = sentence(
            "the claim's parent {parent} is the head at that slot",
            "そのスロットで claim の親 {parent} が head であること",
            parent=attempt.prev_hash,
        )
        other = sentence("another entry is the head at that slot", "そのスロットでは別のエントリが head です")
        yield Finding("order_contradicts_links", grant, where, wanted, other, slot=attempt.slot)
    for attempt in chain.doubled:
        where = (TRANSACTIONS, attempt.signature)
        wanted = sentence("one accepted claim for a claimer and period", "claimer と期間ごとに受理された claim が 1 件だけであること")
        other = sentence(
            "another accepted claim of {claimer} for period {period}",
            "{claimer} の期間 {period} に、受理された claim がもう 1 件あります",
            claimer=attempt.claimer,
            period=attempt.period_index,
        )
        yield Finding("period_claimed_twice", grant, where, wanted, other, slot=attempt.slot)
    for fork in diagnosis.forks:
        yield Finding(fork["kind"], grant, (TRANSACTIONS, fork["parent"]), _ONE_CHILD(), _CHILDREN(children=PROOFS(len(fork["children"]))))
    wrong, repeats = equivocations(incident)
    for pair in wrong:
        yield Finding("equivocation", grant, (TRANSACTIONS, pair[0]), _ONE_PROOF(), _ALSO(entry=pair[1]))
    for pair in repeats:
        yield Finding("repeat_proof", grant, (TRANSACTIONS, pair[0]), _ONE_PROOF(), _ALSO(entry=pair[1]))
    yield from _issuer_findings(incident)
    for attempt in chain.forged:
        observed = _BAD_SIGNATURES if attempt.authentic is False else _BAD_PROOF
        yield Finding(
            "forged_transaction",
            grant,
            (TRANSACTIONS, attempt.signature),
            _AS_EXECUTED(),
            observed(),
            slot=attempt.slot,
        )
    for cause in diagnosis.causes:
        if cause.name == "signer_mismatch":
            refused = next((a for a in chain.attributed if a.signature in cause.signatures), None)
            where = (ACCOUNTS, grant) if refused is None else (TRANSACTIONS, refused.signature)
            slot = refused.slot if refused is not None else None
            by_report = bool(cause.entries) and not cause.signatures
            severity = "warning" if by_report else ""
            yield Finding("signer_mismatch", grant, where, _NAMED_SIGNER(), cause.because, slot=slot, severity=severity)
        if cause.name == "stream_divergence":
            yield Finding("stream_divergence", grant, _divergence(facts, incident, cause), _EQUAL_LINKS(), cause.because)
        if cause.name == "grant_reuse":
            yield Finding("grant_reuse", grant, ("worker/events.json", grant), _ONE_EVENT(), cause.because)
    noise = [a for a in chain.refused if a.noise is not None]
    if noise:
        reasons = Listed(tuple(sorted({a.noise for a in noise if a.noise is not None})), between=", ")
        yield Finding(
            "noise",
            grant,
            (TRANSACTIONS, noise[0].signature),
            observed=sentence("{attempts}: {reasons}", "{attempts}: {reasons}", attempts=ATTEMPTS(len(noise)), reasons=reasons),
            slot=noise[0].slot,
        )
    yield from _chain_read_early(facts, incident)
    yield from _worker_findings(facts, incident)
    yield from _era_findings(incident)


def _divergence(facts: Facts, incident: Incident, cause: Cause) -> tuple[str, str]:
    """Where a stream that diverged shows: in a proof, in the stored head, or in wallets' reports alone."""
    grant, line = incident.judgement.grant, incident.judgement.line
    if line.stored_heads_differ and cause.entries == (line.stored_stream_head,):
        key = STREAM_KEY + grant
        return STORAGE, key if key in (facts.evidence.storage or {}) else grant
    return (_told_in(incident, cause.entries[0]), cause.entries[0]) if cause.entries else ("client/errors.jsonl", grant)


def _proofs_of_one_period(incident: Incident) -> Iterator[Finding]:
    """Proofs on the way that ask for what an earlier one there asks for: only one of the two can land."""
    line = incident.judgement.line
    for entry, earlier in line.repeated.items() if incident.judgement.is_strict else ():
        proof, where = line.proofs[entry], (_told_in(incident, entry), entry)
        wanted = sentence(
            "one proof on the way for {claimer}, period {period}",
            "{claimer} の期間 {period} について、未確定の proof が 1 件だけであること",
            claimer=proof.claimer,
            period=proof.period_index,
        )
        yield Finding("proof_repeated", incident.judgement.grant, where, wanted, _ALSO(entry=earlier))


def _proofs_out_of_period(incident: Incident) -> Iterator[Finding]:
    """Proofs on the way for a period that was over when they were issued, or that begins too late for them."""
    grant = incident.judgement.grant
    terms = incident.fates.terms
    for proof in incident.judgement.line.path if incident.judgement.is_strict and terms is not None else ():
        assert terms is not None
        first, last = terms.period_at(proof.issued_at), terms.period_at(proof.issued_at + SKEW_SECONDS)
        if not first <= proof.period_index <= last:
            where = (_told_in(incident, proof.entry_hash), proof.entry_hash)
            periods = str(first) if first == last else f"{first}-{last}"
            wanted = sentence(
                "a proof for period {periods}, in which the proof can land",
                "取り込まれ得る期間 {periods} の proof であること",
                periods=periods,
            )
            other = sentence("the proof is for period {period}", "この proof は期間 {period} のものです", period=proof.period_index)
            yield Finding("proof_out_of_period", grant, where, wanted, other)


def _chain_read_early(facts: Facts, incident: Incident) -> Iterator[Finding]:
    """A grant in flight whose evidence holds something younger than the last second at which its proofs could land: collect again."""
    until = incident.judgement.could_land_until
    times = [t for t in facts.claims.transactions.block_time if t is not None]
    times += [facts.records_until] if facts.records_until is not None else []
    if until is not None and times and max(times) > until:
        wanted = sentence("no record after {until}", "{until} より後の記録がないこと", until=Moment(until))
        newer = sentence("a record of {at}", "{at} の記録があります", at=Moment(max(times)))
        yield Finding("chain_read_early", incident.judgement.grant, ("case.json", "collected_at"), wanted, newer)


def _unattested(incident: Incident) -> Iterator[Finding]:
    """Anchors of the grant that nothing else tells of."""
    for proof in incident.facts.line(incident.judgement.grant).unattested:
        anchor = proof.anchor
        if anchor is not None:
            where = (incident.judgement.line.records.entries[anchor.anchor_hash].place.part, anchor.anchor_hash)
            yield Finding("anchor_unattested", incident.judgement.grant, where, _ATTESTED(), _ANCHOR_ALONE())


def _contradicting_states(incident: Incident) -> Iterator[Finding]:
    """Readings of PopState that cannot be true beside the claims, or that belong to another program."""
    grant = incident.judgement.grant
    chain = incident.facts.chain(grant)
    where = (ACCOUNTS, pop_state_address(grant, incident.facts.header.program_id))
    for address, owner in ((grant, incident.facts.foreign_owner(grant)), (where[1], chain.state.foreign_owner)):
        if owner is not None:
            wanted = sentence(
                "an account of {program}, the case's program",
                "ケースのプログラム {program} のアカウントであること",
                program=incident.facts.header.program_id,
            )
            other = sentence("the account belongs to {owner}", "アカウントは {owner} に属しています", owner=owner)
            yield Finding("evidence_contradictory", grant, (ACCOUNTS, address), wanted, other)
    for seen in chain.contradicting_states:
        if not seen.is_contradicted:
            at = None if seen.slot is None else _HEAD_BY(slot=seen.slot)
            yield Finding("state_contradicts_claims", grant, where, at, seen.head or _NO_POP_STATE(), slot=seen.slot)


def _told_in(incident: Incident, entry: str) -> str:
    """The file that tells of a proof: the chain where it landed, else the worker's records of it, else what names it on chain."""
    proof = incident.judgement.line.proofs.get(entry)
    if proof is None or proof.refused or not proof.from_worker:
        return TRANSACTIONS
    return STORAGE if proof.anchor is None else incident.judgement.line.records.entries[proof.anchor.anchor_hash].place.part


def _issuer_findings(incident: Incident) -> Iterator[Finding]:
    """Foreign proofs, and how many could not be told because the worker's records do not cover their time."""
    grant, line = incident.judgement.grant, incident.judgement.line
    unknown = []
    for proof in sorted(line.proofs.values(), key=lambda p: p.entry_hash):
        attempt = proof.accepted or (proof.refused[0] if proof.refused else None)
        if attempt is None:
            continue
        if proof.issuer == "foreign":
            yield Finding(
                "foreign_issuer",
                grant,
                (TRANSACTIONS, attempt.signature),
                _AN_ANCHOR(),
                _NO_ANCHOR(audit_hash=proof.audit_hash),
                slot=attempt.slot,
            )
        elif proof.issuer == "unknown":
            unknown.append(attempt)
    for proof in line.unrecorded_beyond:
        where = (STORAGE, proof.anchor.anchor_hash if proof.anchor is not None else proof.entry_hash)
        yield Finding("storage_export_partial", None, where, _HISTORY_OF(entry=proof.entry_hash), _EXPORT_ENDS_BEFORE())
    for proof in line.unrecorded:
        attempt = proof.accepted
        assert attempt is not None
        where = (TRANSACTIONS, attempt.signature)
        yield Finding("history_record_missing", grant, where, _HISTORY_OF(entry=proof.entry_hash), _ANCHOR_STORED(), slot=attempt.slot)
    if unknown:
        text = sentence(
            "who issued {proofs}: the worker's records do not cover their time",
            "{proofs}の発行者（worker の記録がその時期を含んでいません）",
            proofs=PROOFS(len(unknown)),
        )
        yield Finding("issuer_unknown", grant, (TRANSACTIONS, unknown[0].signature), not_checked=text, slot=unknown[0].slot)


def _worker_findings(facts: Facts, incident: Incident) -> Iterator[Finding]:
    judgement, line = incident.judgement, incident.judgement.line
    grant = judgement.grant
    if not line.reaches(line.chain.head):
        short = _SHORT_RECORDS if line.records.is_known else _NO_RECORDS
        yield Finding("worker_records_missing", grant, (AUDIT_LOGS, grant), _RECORDS_TO_HEAD(), short(), _NEVER_SENT())
    if line.is_stale or (judgement.records_end_early and line.records.is_known):
        newest = line.records.newest
        yield Finding(
            "worker_records_stale",
            grant,
            (newest.place.part, newest.hash) if newest else (STORAGE, grant),
            _RECORDS_TO_MOMENT(),
            _OLDER_RECORDS(),
        )
    quiet = [r for r in facts.reported if r.grant == grant and not r.report.landed and r.error in CHAIN_RULE_ERRORS]
    if quiet and not judgement.is_sound:
        reports = sentence(
            "{reports} of {error}, the first at {at}",
            "{error} の{reports}があり、最初のものは {at} です",
            reports=REPORTS(len(quiet)),
            error=quiet[0].error,
            at=Moment(quiet[0].report.at),
        )
        yield Finding("wallets_report_break", grant, ("client/errors.jsonl", quiet[0].report.wallet), _NO_REFUSAL(), reports)
    for proof in line.path:
        if not proof.confirmed:
            assumed = _WHOLE_SECOND(at=Moment(proof.issued_at))
            where = (_told_in(incident, proof.entry_hash), proof.entry_hash)
            yield Finding("head_assumed", grant, where, _CONFIRMED_SECOND(), assumed)
    unknown = _signer_unknown(facts, grant)
    if unknown is not None:
        yield Finding("signer_unknown", grant, ("worker/pop-status.json", grant), not_checked=unknown)


def _signer_unknown(facts: Facts, grant: str) -> Sentence | None:
    """Why the worker's present signer cannot be held against pop-config; None where it can, or where the two agree."""
    if facts.signer_now is None:
        return sentence("the worker's present signer against pop-config", "worker の現在の signer と pop-config の照合")
    authority = facts.history.authority_of(grant)
    if authority is None or facts.history.signer_now(authority) in (None, facts.signer_now) or facts.status_counts(authority):
        return None
    return sentence(
        "the worker's present signer: its status may have been taken before pop-config was last changed",
        "worker の現在の signer（ステータスは pop-config の最後の変更より前のものかもしれません）",
    )


def _era_findings(incident: Incident) -> Iterator[Finding]:
    grant, chain = incident.judgement.grant, incident.judgement.line.chain
    if chain.eras.is_contradictory:
        yield Finding(
            "era_contradictory",
            grant,
            (TRANSACTIONS, grant),
            sentence("each program is replaced by a newer one", "プログラムが新しいものへ順に置き換わること"),
            sentence("an older program's behaviour after a newer one's", "新しいプログラムの後に古いプログラムの挙動が見られます"),
        )
    seen: dict[tuple[str, str], Attempt] = {}
    for attempt in [*chain.accepted, *chain.refused]:
        at = chain.eras.at(attempt.slot, attempt.block_time)
        if at.decided_by != "behaviour":
            seen.setdefault((at.era, at.decided_by), attempt)
    for (era, by), attempt in sorted(seen.items()):
        possible = Listed(tuple(chain.eras.at(attempt.slot, attempt.block_time).possible), or_=True)
        wanted = sentence("behaviour that shows one of {eras}", "{eras} のいずれかを示す挙動", eras=possible)
        assumed = sentence("{era} is assumed, by {by}", "{by} により {era} と仮定しました", era=era, by=_DECIDED_BY[by])
        yield Finding("era_assumed", grant, (TRANSACTIONS, attempt.signature), wanted, assumed, slot=attempt.slot)
