"""The later workers' guard over the operator: warnings, the freeze of whoever overrides one, and
how it is lifted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from popkit.drill.proofs import digest, iso
from popkit.drill.worker import Worker

BOTS = ("bot", "crawler", "spider", "curl", "wget", "python", "scrapy", "headless")
WORDS = ("bot", "auto", "script", "spam", "mass")
WARNING_SECONDS, RAPID, RAPID_SECONDS = 120, 3, 60
REASON = "proceeded_after_security_warning"
OPERATOR = {"actorId": "master", "role": "master", "adminId": "master", "name": "Master Operator"}
WARNED = "不正発行またはBot操作の疑いを検知しました"
WARNING = "このまま続行すると、管理者アカウントはリアルタイム凍結され、運営者の手動ロック解除が必要になります。"
FREEZING = "不正発行/Bot警告後に継続操作が行われたため、管理者アカウントをリアルタイム凍結しました。解除は運営者の手動操作が必要です。"
FROZEN = "この管理者アカウントは現在フリーズ中です。運営者によるロック解除が必要です。"


@dataclass(slots=True)
class Security:
    """What the guard remembers. `frozen` holds when and why the operator was frozen; None while
    they are not.
    """

    worker: Worker
    frozen: dict[str, str] | None = None
    warning: str = ""
    warned_until: float = 0.0
    attempts: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        return self.worker.clock / 1000

    def refuses(self, agent: str, text: str, override: bool) -> tuple[int, dict[str, Any]] | None:
        """The refusal of an attempt to make an event, by its user agent, its words and how often;
        None where it may go on.
        """
        if self.frozen is not None:
            return 423, self.frozen_body()
        self.attempts = [*(at for at in self.attempts if at > self.now - RAPID_SECONDS), self.now]
        signals = ["bot_like_user_agent"] if any(word in agent for word in BOTS) else []
        signals += ["suspicious_keyword"] if any(word in text.lower() for word in WORDS) else []
        signals += ["rapid_issue_attempts"] if len(self.attempts) >= RAPID else []
        if override and self.warned_until > self.now:
            self.frozen = {
                "frozenAt": iso(self.worker.clock),
                "reason": REASON,
                "warningId": self.warning,
            }
            return 423, self.frozen_body(FREEZING)
        if not signals:
            return None
        self.warned_until = self.now + WARNING_SECONDS
        self.warning = f"warn-{self._name()[:10]}-{len(signals)}"
        shown = {
            "alertColor": "red",
            "title": WARNED,
            "message": WARNING,
            "detectedAt": iso(self.worker.clock),
        }
        warning = {"id": self.warning, **shown, "signals": signals, "freezeOnProceed": True}
        return 409, {"code": "security_warning", "message": WARNING, "warning": warning}

    def frozen_body(self, message: str = FROZEN) -> dict[str, Any]:
        """What a frozen operator is answered."""
        return {
            "code": "account_frozen",
            "alertColor": "red",
            "unlockRequired": True,
            "message": message,
            **(self.frozen or {}),
        }

    def status(self) -> dict[str, Any]:
        """The body of freeze-status."""
        items = (
            []
            if self.frozen is None
            else [{"actorId": "master", **self.frozen, "frozenByActorId": "master"}]
        )
        revoked = dict.fromkeys(("revokedAt", "revokedReason", "revokedReportId"))
        return {
            "checkedAt": iso(self.worker.clock),
            "viewer": OPERATOR,
            "frozenCount": len(items),
            "revokedCount": 0,
            "warningCount": 0,
            "operatorCommunityCount": 1,
            "operatorRevokedCount": 0,
            "governancePendingCount": 0,
            "items": items,
            "revokedItems": [],
            "pendingWarnings": [],
            "operatorItems": [
                {"actorId": "master", "role": "master", "name": "Master Operator", **revoked}
            ],
        }

    def unlock(self, body: Any) -> tuple[int, dict[str, Any]]:
        """Lift the freeze of the operator who is named; its record of who agreed is left out."""
        target = body.get("targetActorId") if isinstance(body, dict) else None
        if not isinstance(target, str) or not target:
            return 400, {"code": "invalid", "message": "targetActorId is required"}
        before, self.frozen, self.warned_until = self.frozen, None, 0.0
        head = {
            "success": True,
            "targetActorId": target,
            "unlockedAt": iso(self.worker.clock),
            "unlockedBy": OPERATOR,
        }
        return 200, {**head, "previousFreeze": before}

    def _name(self) -> str:
        return digest([self.worker.name, self.worker.clock])
