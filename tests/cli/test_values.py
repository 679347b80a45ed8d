"""What people type, read or refused with words."""

import pytest

from marigram.cli._values import duration, nearest, size
from marigram.errors import ParameterError


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("30s", 30e9),
        ("5m", 300e9),
        ("5min", 300e9),
        ("1.5h", 5400e9),
        ("1h30m", 5400e9),
        ("250ms", 25e7),
        ("7µs", 7e3),
        ("0s", 0),
    ],
)
def test_durations(text: str, ns: float) -> None:
    assert duration(text, "--lateness") == ns


@pytest.mark.parametrize("text", ["", "5", "m", "-5s", "5 lightyears", "5s later", "1e3s", "300000000w"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(ParameterError, match="--lateness"):
        duration(text, "--lateness")


@pytest.mark.parametrize(
    ("text", "bytes_"), [("100", 100), ("1k", 1000), ("1KiB", 1024), ("512MB", 512e6), ("1.5 GB", 1.5e9)]
)
def test_sizes(text: str, bytes_: float) -> None:
    assert size(text, "--memory") == bytes_


@pytest.mark.parametrize("text", ["", "MB", "-1GB", "0", "5 apples", "1e30TB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(ParameterError, match="--memory"):
        size(text, "--memory")


def test_a_misspelt_name_is_recognised() -> None:
    assert "'alpha'" in nearest("alhpa", ["alpha", "season"])
    assert nearest("zzz", ["alpha", "season"]) == ""
