"""The worker's audit chain and ticket receipts, recomputed. The server's own verdict is not
believed.
"""

from popkit.audit.entries import AuditEntry, AuditRecords
from popkit.audit.reading import read_audit

__all__ = ["AuditEntry", "AuditRecords", "read_audit"]
