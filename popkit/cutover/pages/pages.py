"""The pages of a run: the plan, a step, where we are. Each is a reading of the plan and the
journal; nothing is asked of anybody.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from popkit.chain.history import ZERO_ROOT
from popkit.cutover.pages.screen import Screen, Tone
from popkit.cutover.pages.words import STEPS
from popkit.cutover.plan import Change, Instruction, NewGrant, OldGrant, Plan, StepPlan
from popkit.cutover.sending.transactions import read_aloud
from popkit.protocol.genesis import UNKNOWN
from popkit.texts import Language, Moment, Sentence, Text, sentence
from popkit.wording import CLAIMERS

if TYPE_CHECKING:
    from popkit.cutover.run import Run

NAMES: dict[Language, str] = {"en": "plan.md", "ja": "plan.ja.md"}
KEY_BEGINNING = 8
UNNAMED = Text("no public cluster", "公開クラスター以外")

PLAN = Text("Plan {digest}: cut over grant {grant}", "計画 {digest}: grant {grant} の切り替え")
DRAFT = Text(
    "Draft of a plan for grant {grant}: it can be read and never run",
    "grant {grant} の計画の下書き: 読めますが、実行できません",
)
VERDICT, WHY, SINCE = Text("verdict", "判定"), Text("why", "原因"), Text("since", "いつから")
LAST_GOOD, REMEDY = Text("last good", "直近正常点"), Text("remedy", "復旧方法")
OVERRIDDEN, CASE = Text("overridden", "担当者の判断"), Text("evidence", "証拠")
CLUSTER, PROGRAM, WORKER = (
    Text("cluster", "クラスター"),
    Text("program", "プログラム"),
    Text("worker", "worker"),
)
OLD, NEW, TERMS, SIGNER = (
    Text("old grant", "元の grant"),
    Text("new grant", "新しい grant"),
    Text("terms", "条件"),
    Text("signer", "署名者"),
)
OWED, TWICE, AMOUNT, MONEY = (
    Text("owed", "未受領"),
    Text("twice", "二重受領"),
    Text("amount", "入金額"),
    Text("money", "残高"),
)
EVENT, OTHERS, ROLES = (
    Text("event", "イベント"),
    Text("other grants", "ほかの grant"),
    Text("who signs", "署名する人"),
)
TELL, NOT_CHECKED, HARM = (
    Text("announce", "告知文"),
    Text("not checked", "未確認"),
    Text("harm", "害"),
)
WHOLE, PAGE_OF = Text("whole plan", "計画の全体"), Text("{run}/{page}", "{run}/{page}")
STEP, READ_ALOUD = Text("steps", "手順"), Text("read aloud", "指差呼称")

SWITCH = Text(
    "switch: a new grant from GENESIS; the old chain stays as evidence",
    "切り替え: 新しい grant で GENESIS から始め、過去チェーンは証跡として残します",
)
SIGN = Text(
    "signer: name the right key in pop-config; no new grant",
    "署名者: pop-config に正しい鍵を設定します。新しい grant は不要です",
)
CLOSING = Text(
    "closing the old grant deletes its Grant and vault accounts for good; "
    "PopState, receipts and transactions stay; seal the evidence first",
    "元の grant を閉じると、grant と vault のアカウントは永久に消えます。PopState・レシート・取引は残ります。先に証拠を封印してください",
)
ONLY_THERE = Text(
    "nobody can mint more and the only tokens lie in the old vault: plan again with --close-old, "
    "and read its harm",
    "追加発行ができず、トークンは元の vault にしかありません。--close-old を付けて計画し直し、その害を確認してください",
)


def plan_screen(plan: Plan, digest: str, run: str, *, whole: bool = False) -> Screen:
    """What is broken, what is to be done, for whom, with what, by whom; `whole` adds what plan.md
    has besides: places, terms and steps.
    """
    heading = (
        DRAFT(grant=plan.old_grant.address)
        if plan.draft
        else PLAN(digest=digest[:12], grant=plan.old_grant.address)
    )
    screen = Screen(heading)
    _what(screen, plan)
    if whole:
        _where(screen, plan)
    _keys(screen, plan)
    _grants(screen, plan, whole)
    _people(screen, plan)
    _money(screen, plan)
    _event(screen, plan)
    if whole:
        screen.add(STEP(), *(_step_line(step) for step in plan.steps))
        screen.add(TELL(), plan.announcement)
    screen.add(NOT_CHECKED(), *plan.not_checked, tone="note")
    screen.add(READ_ALOUD(), " ".join(read_aloud(digest)))
    if not whole:
        screen.add(WHOLE(), PAGE_OF(run=run, page=PAGE))
    if not plan.draft and plan.steps:
        screen.commands = [f"popkit cutover show {shlex.quote(run)} {plan.steps[0].id}"]
    return screen


def _what(screen: Screen, plan: Plan) -> None:
    broken = plan.broken
    tone = "stop" if broken.verdict == "broken" else "note"
    screen.add(
        VERDICT(),
        sentence(
            "{verdict}: {why}", "{verdict}: {why}", verdict=broken.verdict, why=broken.because
        ),
        tone=tone,  # type: ignore[arg-type]
    )
    if broken.causes:
        screen.add(WHY(), ", ".join(broken.causes))
    began = (broken.began or {}).get("lost_proof_issued") or (broken.began or {}).get(
        "first_refusal_landed"
    )
    if began:
        screen.add(SINCE(), Moment(began["time"]).in_language("en"))
    if broken.last_good:
        screen.add(LAST_GOOD(), f"slot {broken.last_good['slot']}, {broken.last_good['signature']}")
    screen.add(REMEDY(), SWITCH if plan.remedy == "switch" else SIGN)
    if plan.reason is not None:
        overrides = ", ".join(plan.overridden) or "-"
        screen.add(
            OVERRIDDEN(),
            sentence(
                "{codes}: “{reason}”", "{codes}: 「{reason}」", codes=overrides, reason=plan.reason
            ),
            tone="note",
        )


def _where(screen: Screen, plan: Plan) -> None:
    screen.add(CASE(), f"{plan.case.name}, findings.json {plan.case.findings_sha256[:16]}")
    if plan.cluster is not None:
        screen.add(
            CLUSTER(),
            sentence(
                "{name}, genesis {genesis}, both endpoints agree",
                "{name}、ジェネシス {genesis}、二つの接続先で一致",
                name=plan.cluster.name if plan.cluster.name != UNKNOWN else UNNAMED(),
                genesis=plan.cluster.genesis_hash[:KEY_BEGINNING],
            ),
        )
    at = f" @ {plan.program.slot}" if plan.program.slot is not None else ""
    init = {True: "init", False: "init_if_needed", None: "?"}[plan.program.init]
    screen.add(
        PROGRAM(),
        f"{plan.program.program_id[:KEY_BEGINNING]}… {plan.program.kind}{at}, {plan.program.era}, "
        f"create_grant: {init}",
    )
    if plan.worker is not None:
        screen.add(WORKER(), _worker(plan))


def _keys(screen: Screen, plan: Plan) -> None:
    if plan.signer is not None:
        screen.add(SIGNER(), _signer(plan))
    for other in plan.other_grants:
        if other.effect != "none":
            words = sentence(
                "{grant}: {effect} ({why})",
                "{grant}: {effect}（{why}）",
                grant=other.address,
                effect=ON_OTHERS[other.effect](),
                why=other.why,
            )
            screen.add(OTHERS(), words, tone="note" if other.effect == "helped" else "stop")


def _worker(plan: Plan) -> Sentence:
    assert plan.worker is not None
    known = {
        True: Text("the audit list continues the case's", "監査一覧はケースの続きです"),
        False: Text(
            "the audit list does not continue the case's", "監査一覧がケースの続きではありません"
        ),
        None: Text(
            "whether it is the case's worker is not known", "ケースの worker かどうかは不明です"
        ),
    }[plan.worker.continues_case]
    return sentence(
        "signs as {signer}; {known}",
        "{signer} で署名。{known}",
        signer=_short(plan.worker.signer),
        known=known(),
    )


def _signer(plan: Plan) -> Sentence:
    signer = plan.signer
    assert signer is not None
    source = {
        "last accepted claims": Text(
            "the key of the last accepted claims", "最後に受理された claim の鍵"
        ),
        "typed by a person": Text("typed by a person", "担当者が入力した鍵"),
    }[signer.source]
    if not signer.upsert:
        return sentence(
            "{key}, as pop-config names it already ({source})",
            "{key}。pop-config にすでに設定済み（{source}）",
            key=signer.planned,
            source=source(),
        )
    return sentence(
        "{key} ({source}) in place of {now}",
        "{now} に代えて {key}（{source}）",
        key=signer.planned,
        source=source(),
        now=_short(signer.now),
    )


def _grants(screen: Screen, plan: Plan, whole: bool) -> None:
    old, new = plan.old_grant, plan.new_grant
    if whole:
        screen.add(
            OLD(),
            f"{old.address}, id {old.grant_id}, head {(old.head or 'GENESIS')[:16]}, vault "
            f"{old.vault_amount}",
        )
    if new is None:
        return
    screen.add(
        NEW(),
        sentence(
            "{address}, id {id}, never used on either endpoint",
            "{address}、ID {id}。どちらの接続先でも未使用",
            address=new.address,
            id=new.grant_id,
        ),
    )
    if whole:
        screen.add(TERMS(), *(_term(name, old, new) for name in TERM_NAMES))


TERM_NAMES = {
    "amount_per_period": Text("amount a period (base units)", "期間ごとの額（基本単位）"),
    "period_seconds": Text("period (seconds)", "期間（秒）"),
    "start_ts": Text("start", "開始"),
    "expires_at": Text("expiry", "期限"),
    "merkle_root": Text("allowlist", "許可リスト"),
}


def _term(name: str, old: OldGrant, new: NewGrant) -> Sentence:
    """One term of both grants, side by side."""
    was, now = (_value(name, getattr(terms, name)) for terms in (old.terms, new.terms))
    if was == now:
        return sentence(
            "{name}: {now}, as before",
            "{name}: {now}（変更なし）",
            name=TERM_NAMES[name](),
            now=now,
        )
    return sentence(
        "{name}: {now}, was {was}",
        "{name}: {now}（元は {was}）",
        name=TERM_NAMES[name](),
        now=now,
        was=was,
    )


def _value(name: str, value: object) -> object:
    if name in ("start_ts", "expires_at"):
        return Moment(int(str(value))) if int(str(value)) else "-"
    return "-" if name == "merkle_root" and value == ZERO_ROOT else value


def _people(screen: Screen, plan: Plan) -> None:
    people = plan.people
    if people.owed_now is None or people.owed_before is None:
        screen.add(
            OWED(),
            sentence(
                "not known: the case does not decide who was refused",
                "不明: 誰が拒否されたかをケースから決められません",
            ),
            tone="note",
        )
    else:
        screen.add(
            OWED(),
            sentence(
                "{now} in this period, which ends {ends}",
                "今の期間（{ends} まで）に {now}",
                now=CLAIMERS(people.owed_now.count),
                ends=Moment(people.period_ends_at),
            ),
        )
        if people.owed_before.count:
            screen.add(
                OWED(),
                sentence(
                    "{before} of earlier periods: a new grant cannot serve them",
                    "過去の期間に {before}。新しい grant では渡せません",
                    before=CLAIMERS(people.owed_before.count),
                ),
                tone="note",
            )
    if plan.remedy == "switch" and people.may_claim_twice.count:
        screen.add(
            TWICE(),
            sentence(
                "{count} could claim again in this period: {amount} base units",
                "{count}が今の期間にもう一度受け取れます: {amount}（基本単位）",
                count=CLAIMERS(people.may_claim_twice.count),
                amount=people.may_claim_twice.amount,
            ),
            tone="note",
        )


def _money(screen: Screen, plan: Plan) -> None:
    amount, money = plan.amount, plan.money
    if amount is not None:
        full = (
            Text("the last full period", "直近の一期間")
            if amount.reckoned_period_is_full
            else Text("the running period so far", "今の期間のここまで")
        )
        screen.add(
            AMOUNT(),
            sentence(
                "{units} base units ({owed} owed, {claims} claims of {period}, 1 of the "
                "operator's, at {each} each)",
                "{units}（基本単位）: 未受領 {owed} 件、{period}の claim {claims} 件、担当者の 1 件、各 {each}",
                units=amount.base_units,
                owed="?" if amount.owed_claims is None else amount.owed_claims,
                claims=amount.reckoned_claims,
                period=full(),
                each=amount.amount_per_claim,
            ),
        )
    if money is None:
        return
    screen.add(
        MONEY(),
        sentence(
            "source {source} holds {held}; the payer {payer} keeps {left} of {lamports} lamports",
            "{source} の残高 {held}。支払者 {payer} の残りは {lamports} lamports のうち {left}",
            source=_short(money.source),
            held=money.source_amount or "?",
            payer=_short(money.payer),
            left=money.payer_after,
            lamports=money.payer_lamports,
        ),
    )
    if money.only_in_old_vault:
        screen.add(
            HARM(),
            CLOSING if any(step.id == "2.0" for step in plan.steps) else ONLY_THERE,
            tone="stop",
        )


def _event(screen: Screen, plan: Plan) -> None:
    event = plan.event
    if event is not None:
        screen.add(
            EVENT(),
            sentence(
                "“{title}”, {when}, {host}; whoever's token makes it sees the claimants",
                "「{title}」、{when}、{host}。作成したトークンの持ち主が参加者を閲覧できます",
                title=event.title,
                when=event.datetime or "-",
                host=event.host or "-",
            ),
        )
        if event.others_on_old_grant:
            screen.add(
                EVENT(),
                sentence(
                    "also on the old grant: {events}",
                    "元の grant にはほかに {events} も紐付いています",
                    events=", ".join(event.others_on_old_grant),
                ),
                tone="note",
            )
    roles = plan.roles
    if roles.is_multisig:
        screen.add(
            ROLES(),
            sentence(
                "the authority {authority} is off the curve: export each step for its multisig",
                "authority {authority} は曲線外です。各手順をマルチシグ用に書き出します",
                authority=roles.authority,
            ),
            tone="note",
        )
    else:
        funder = "" if roles.funder == roles.authority else f", funder {roles.funder}"
        screen.add(ROLES(), f"authority {roles.authority}{funder}")


def _step_line(step: StepPlan) -> Sentence:
    words = STEPS[step.id]
    return sentence(
        "{heading} ({effect}, {role})",
        "{heading}（{effect}、{role}）",
        heading=words.heading,
        effect=EFFECTS[step.effect](),
        role=WHO[step.role](),
    )


ON_OTHERS = {
    "none": Text("not touched", "影響なし"),
    "helped": Text("helped", "復旧します"),
    "hit": Text("would stop", "止まります"),
    "not known": Text("not known", "不明"),
}
EFFECTS = {
    "pure": Text("changes nothing", "何も変更しない"),
    "idempotent": Text("may be repeated", "繰り返しても同じ"),
    "at most once": Text("at most once", "一度だけ"),
}
WHO = {
    "authority": Text("the authority's key", "authority の鍵"),
    "funder": Text("the funder's key", "入金者の鍵"),
    "operator": Text("the operator", "担当者"),
}


def _short(key: str | None) -> str:
    return f"{key[:KEY_BEGINNING]}…" if key else "-"


TAKES, RISK, EFFECT = Text("input", "入力"), Text("risk", "リスク"), Text("effect", "作用")
SIGNS, CHANGES, WAITING, UNSURE = (
    Text("is signed", "署名内容"),
    Text("changes", "変わるもの"),
    Text("if not done", "しない場合"),
    Text("if unsure", "結果不明なら"),
)
LOOK_UP, NOW = Text("look up", "確認値"), Text("state", "状態")
STATES = {
    "open": Text("not done yet", "未実施"),
    "done": Text("❄ done", "❄ 実施済み"),
    "unknown": Text("sent, and how it ended is not known", "送信済み、結果不明"),
    "failed": Text("landed and failed", "取り込まれたが失敗"),
    "waiting": Text("waiting", "待機中"),
}
STATE_TONES: dict[str, Tone] = {
    "open": "plain",
    "done": "good",
    "unknown": "stop",
    "failed": "stop",
    "waiting": "plain",
}
WHATS = {
    "old grant": Text("old grant", "元の grant"),
    "old vault": Text("old vault", "元の vault"),
    "old PopState": Text("old PopState", "元の PopState"),
    "pop-config": Text("pop-config", "pop-config"),
    "mint": Text("mint", "mint"),
    "token account": Text("token account", "トークン口座"),
    "authority": Text("authority", "authority"),
    "funder": Text("funder", "入金者"),
    "funder's token account": Text("funder's token account", "入金者のトークン口座"),
    "new grant": Text("new grant", "新しい grant"),
    "new vault": Text("new vault", "新しい vault"),
    "new PopState": Text("new PopState", "新しい PopState"),
    "marker": Text("marker", "マーカー"),
    "amount": Text("amount", "入金額"),
    "new grant/amount": Text(
        "new grant, a slash, and the amount", "新しい grant、スラッシュ、入金額"
    ),
    "old event": Text("old event", "元のイベント"),
}
"""What an account or a value is called; the plan keeps the English."""
PAGE = Text("plan.md", "plan.ja.md")
LOOK_UP_LINE = Text(
    "the value of “{what}” on the plan page ({page})", "計画ページ（{page}）の「{what}」の値"
)
MOST_CHANGES = 9


def step_screen(run: Run, step: StepPlan) -> Screen:
    """A step on one screen: input, risk, effect, what is signed, what waiting costs; last and
    alone, what to type.
    """
    words = STEPS[step.id]
    screen = Screen(words.heading)
    screen.add(
        NOW(), STATES[run.state(step.id)], tone="good" if run.state(step.id) == "done" else "plain"
    )
    screen.add(TAKES(), words.takes)
    screen.add(RISK(), words.risk, tone="note" if step.effect == "at most once" else "plain")
    screen.add(
        EFFECT(),
        sentence(
            "{effect} ({how})", "{effect}（{how}）", effect=words.effect, how=EFFECTS[step.effect]()
        ),
    )
    signs = [spoken_call(one) for one in step.instructions]
    screen.add(SIGNS(), *signs)
    touched = [named(change.what, change.account) for change in step.changes]
    more = len(touched) - MOST_CHANGES
    screen.add(
        CHANGES(),
        *touched[:MOST_CHANGES],
        *([sentence("and {n} more", "ほか {n} 件", n=more)] if more > 0 else []),
    )
    screen.add(WAITING(), words.waiting)
    screen.add(UNSURE(), words.ambiguous)
    if step.look_up:
        screen.add(LOOK_UP(), LOOK_UP_LINE(what=WHATS.get(step.look_up, step.look_up), page=PAGE))
    screen.commands = [f"popkit cutover step {shlex.quote(str(run.root))} {step.id}"]
    return screen


def named(what: str, account: str) -> Sentence:
    """An account with what it is."""
    return sentence(
        "{what} {account}", "{what} {account}", what=WHATS.get(what, what), account=account
    )


RULES = {
    "none": Text("byte for byte", "バイト単位で一致"),
    "fee": Text("but for the fee", "手数料を除く"),
    "clock": Text("but for the time", "時刻を除く"),
}


def _change(change: Change) -> Sentence:
    """An account with the beginnings of the digests of what it holds before and after."""
    before, after = (digest[:16] if digest else "-" for digest in (change.before, change.after))
    return sentence(
        "{what}: {before} → {after} ({rule})",
        "{what}: {before} → {after}（{rule}）",
        what=named(change.what, change.account),
        before=before,
        after=after,
        rule=RULES[change.rule],
    )


def spoken_call(one: Instruction) -> str:
    """An instruction of a plan on one line: its name, and its arguments with their names."""
    args = ", ".join(f"{name} {value}" for name, value in one.args.items())
    return f"{one.name}({args})"


STATUS = Text("Run {run}, plan {digest}", "実行 {run}、計画 {digest}")
NEXT, OUTSTANDING = Text("next", "次"), Text("outstanding", "未決着")
ALL_DONE = Text("every step is done", "すべての手順が終わりました")
GIVEN_UP_WORDS = Text(
    "the run was given up; plan anew", "この実行は放棄されました。計画し直してください"
)


def status_screen(run: Run) -> Screen:
    """Where we are, what is next, what is outstanding, and what happens if nothing is done."""
    screen = Screen(STATUS(run=run.root.name, digest=run.digest[:12]))
    if run.is_given_up:
        screen.add(NOW(), GIVEN_UP_WORDS, tone="stop")
        return screen
    for step in run.plan.steps:
        state = run.state(step.id)
        named = sentence(
            "{state}: {name}",
            "{state}: {name}",
            state=STATES[state](),
            name=STEPS[step.id].heading(),
        )
        screen.add(sentence("step {id}", "手順 {id}", id=step.id), named, tone=STATE_TONES[state])
    unknown = [step.id for step in run.plan.steps if run.state(step.id) == "unknown"]
    for name in unknown:
        screen.add(OUTSTANDING(), STEPS[name].ambiguous, tone="stop")
        screen.commands = [f"popkit cutover resolve {shlex.quote(str(run.root))} {name}"]
        screen.exit_code = 3
    following = run.next_step()
    if following is None:
        screen.add(NEXT(), ALL_DONE, tone="good")
    elif not unknown:
        screen.add(NEXT(), _step_line(following))
        screen.add(WAITING(), STEPS[following.id].waiting)
        screen.commands = [f"popkit cutover show {shlex.quote(str(run.root))} {following.id}"]
    return screen


def write_pages(root: Path, plan: Plan, digest: str) -> None:
    """Write plan.md and plan.ja.md: the plan's screen, then every step, each with the value that
    confirms it.
    """
    for language, name in NAMES.items():
        parts = [plan_screen(plan, digest, str(root), whole=True).markdown(language, 1)]
        parts += [_step_page(step, language) for step in plan.steps]
        (root / name).write_text("\n".join(parts))


def _step_page(step: StepPlan, language: Language) -> str:
    words = STEPS[step.id]
    screen = Screen(words.heading)
    screen.add(TAKES(), words.takes)
    screen.add(RISK(), words.risk)
    screen.add(EFFECT(), words.effect)
    screen.add(SIGNS(), *map(spoken_call, step.instructions))
    screen.add(CHANGES(), *(_change(change) for change in step.changes))
    if step.look_up:
        screen.add(
            LOOK_UP(),
            sentence(
                "{what}: {value}",
                "{what}: {value}",
                what=WHATS.get(step.look_up, step.look_up),
                value=step.value,
            ),
        )
    return screen.markdown(language)
