"""Alerts that people can live with: one an episode, told once, closed by themselves, and open to a word."""

from marigram.service.alerts.alert import Alert
from marigram.service.alerts.book import Alerts
from marigram.service.alerts.desk import Desk, Visit
from marigram.service.alerts.routes import alerts_router
from marigram.service.alerts.rules import AlertRules, Team, rules_of
from marigram.service.alerts.tables import DDL

__all__ = ["DDL", "Alert", "AlertRules", "Alerts", "Desk", "Team", "Visit", "alerts_router", "rules_of"]
