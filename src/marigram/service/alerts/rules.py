"""What a user may decide about alerts: labels, groups, teams with their budgets, channels.

Nothing needs to be decided: without a configuration each episode is an alert, of no team, told to nobody but the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import msgspec

from marigram.errors import ParameterError
from marigram.service.delivery.channels import AnyChannel, fits
from marigram.thresholds.budget import PERIODS, AlertBudget

_SERIES = re.compile(r"([^{}]*)\{(.*)\}", re.DOTALL)
_PAIR = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_.]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MOST_KEY = 4096


class Team(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose alerts these are, and how many they can look at."""

    name: str
    match: dict[str, str] = {}
    """Patterns of labels, of ``key`` and ``kind``; the first team that fits has the alert."""
    budget: int | None = None
    """At most so many in any period, given to the most severe; None is no limit."""
    per: str = "day"

    def __post_init__(self) -> None:
        if not self.name:
            raise ParameterError("a team has a name")
        if self.per not in PERIODS:
            raise ParameterError(
                f"team {self.name}: per must be one of {', '.join(PERIODS)}, not {self.per!r}"
            )
        if self.budget is not None:
            self.new_budget()

    def new_budget(self) -> AlertBudget | None:
        """Return the budget at its beginning, None without one."""
        return None if self.budget is None else AlertBudget(self.budget, per=self.per)


class AlertRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """The section ``[alerts]`` of a configuration."""

    pattern: str | None = None
    r"""A regular expression with named groups, which become labels: ``(?P<service>\w+)-(?P<host>\d+)``."""
    labels: dict[str, str] = {}
    """Labels of every alert."""
    group_by: tuple[str, ...] = ()
    """Labels by which notices are put into one message; without any, all of one moment are."""
    teams: tuple[Team, ...] = ()
    channels: tuple[AnyChannel, ...] = ()
    calm: int = 3
    """Normal events of a key that close its alert, 1 to 1000."""
    no_data: bool = True
    """Whether a key that falls silent, by its own cadence, is an alert."""
    keep_days: float = 400.0
    """Days that closed alerts without a label and what was sent are kept, above 0; labels are kept for ever."""

    def __post_init__(self) -> None:
        if not 1 <= self.calm <= 1000:
            raise ParameterError(f"calm must be 1 to 1000 events, not {self.calm}")
        if not 0 < self.keep_days <= 36_525:
            raise ParameterError(f"keep_days must be above 0, at most 36525, not {self.keep_days:g}")
        for what, names in (("teams", self.teams), ("channels", self.channels)):
            if len({one.name for one in names}) != len(names):
                raise ParameterError(f"two {what} have the same name")
        _ = self.expression

    @cached_property
    def expression(self) -> re.Pattern[str] | None:
        """The pattern, compiled; ``ParameterError`` for one that is none."""
        if self.pattern is None:
            return None
        try:
            return re.compile(self.pattern)
        except re.error as error:
            raise ParameterError(f"pattern is no regular expression: {error}") from error

    def labels_of(self, key: str) -> dict[str, str]:
        """Return the labels of a key: those of all, those of a series as Prometheus writes it, those of the pattern.

        Examples
        --------
        >>> AlertRules(labels={"site": "a"}).labels_of('up{job="db",instance="x:1"}')
        {'site': 'a', 'metric': 'up', 'job': 'db', 'instance': 'x:1'}
        >>> AlertRules(pattern="(?P<service>[a-z]+)-.*").labels_of("web-7")
        {'service': 'web'}
        """
        found = dict(self.labels)
        if len(key) > _MOST_KEY:
            return found
        if key.endswith("}"):
            found |= _series(key)
        match = self.expression.match(key) if self.expression is not None else None
        if match is not None:
            found |= {name: value for name, value in match.groupdict().items() if value is not None}
        return found

    def team_of(self, context: Mapping[str, str]) -> Team | None:
        """Return the first team that fits."""
        return next((team for team in self.teams if fits(team.match, context)), None)

    def group_of(self, context: Mapping[str, str]) -> str:
        """Return the group, as text."""
        return ", ".join(f"{name}={context.get(name, '')}" for name in self.group_by)


def rules_of(config: object) -> AlertRules:
    """Return the rules that a configuration gives; ``ParameterError`` says what is wrong with it."""
    try:
        return msgspec.convert(config, AlertRules)
    except msgspec.ValidationError as error:
        raise ParameterError(f"[alerts] and [[channels]] of the configuration: {error}") from error


def _series(key: str) -> dict[str, str]:
    """Return the labels of ``name{a="b",…}``; none when it is not of that form to its end."""
    match = _SERIES.fullmatch(key)
    if match is None:
        return {}
    found = {"metric": match[1]} if match[1] else {}
    at, inside = 0, match[2]
    while at < len(inside):
        pair = _PAIR.match(inside, at)
        if pair is None:
            return {}
        found[pair[1]] = _ESCAPED.sub(lambda one: "\n" if one[1] == "n" else one[1], pair[2])
        at = pair.end()
    return found


__all__ = ["AlertRules", "Team", "rules_of"]
