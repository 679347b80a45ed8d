"""What a configuration may say of alerts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.service.alerts import AlertRules, rules_of


def test_a_whole_section_is_read() -> None:
    rules = rules_of(
        {
            "pattern": r"(?P<service>\w+)-.*",
            "group_by": ["service"],
            "teams": [{"name": "web", "match": {"service": "web"}, "budget": 3, "per": "day"}],
            "channels": [{"type": "webhook", "name": "hook", "url": "https://hooks.example.com/"}],
        }
    )
    assert rules.labels_of("web-7") == {"service": "web"}
    team = rules.team_of({"service": "web"})
    assert team is not None
    assert team.name == "web"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"calm": 0}, "calm"),
        ({"keep_days": 0}, "keep_days"),
        ({"pattern": "("}, "expression"),
        ({"teams": [{"name": ""}]}, "name"),
        ({"teams": [{"name": "a", "per": "year"}]}, "per"),
        ({"teams": [{"name": "a", "budget": 0}]}, "budget"),
        ({"teams": [{"name": "a"}, {"name": "a"}]}, "same name"),
        ({"channel": []}, "channel"),
        ({"calm": "many"}, "calm"),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason(config: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        rules_of(config)


LABELS = st.dictionaries(
    st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.text(max_size=12), max_size=4
)


@given(LABELS)
def test_a_series_as_prometheus_writes_it_gives_its_labels_back(labels: dict[str, str]) -> None:
    labels.pop("metric", None)
    signs = (("\\", r"\\"), ('"', r"\""), ("\n", r"\n"))
    escaped = dict(labels)
    for sign, written in signs:
        escaped = {name: value.replace(sign, written) for name, value in escaped.items()}
    key = "up{" + ",".join(f'{name}="{value}"' for name, value in escaped.items()) + "}"
    assert AlertRules().labels_of(key) == {"metric": "up"} | labels


@given(st.text(max_size=60))
def test_any_key_has_labels(key: str) -> None:
    assert all(isinstance(value, str) for value in AlertRules().labels_of(key).values())
