"""Alerts that people can live with: one an episode, told once, closed by themselves, and open to a word."""

from marigram.service.alerts.alert import Alert
from marigram.service.alerts.book import Alerts
from marigram.service.alerts.desk import Desk, Visit
from marigram.service.alerts.rules import AlertRules, Team, rules_of

__all__ = ["Alert", "AlertRules", "Alerts", "Desk", "Team", "Visit", "rules_of"]
