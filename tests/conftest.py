"""What holds for every test: how hypothesis hunts, and when a skip is not good enough."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

# Compiled kernels make a first example slow, so there is no deadline.  The examples are the same in every run, so that
# a change is judged by what it changes; `make hunt` looks for new ones.
settings.register_profile(
    "house", deadline=None, derandomize="MARIGRAM_HUNT" not in os.environ, print_blob=True
)
settings.load_profile("house")

LACKS = ("this machine lacks", "could not import")
"""How the reason of a skip begins when a machine is at fault; data sets, found by MARIGRAM_DATA, are not meant."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under MARIGRAM_COMPLETE=1 (make test-all) fail where a test was skipped for what the machine lacks."""
    report = yield
    if report.skipped and os.environ.get("MARIGRAM_COMPLETE") == "1" and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith(LACKS):
            report.outcome = "failed"
            report.longrepr = f"skipped although nothing may be lacking here: {reason}"
    return report
