"""Pages for people: what is wrong, why, and what they say of it."""

from marigram.service.dashboard.mount import mount
from marigram.service.dashboard.panel import AuditRow, KeyRow, Panel

__all__ = ["AuditRow", "KeyRow", "Panel", "mount"]
