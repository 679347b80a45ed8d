"""What several tests of recovery share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.recovery.nursery import Nursery


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Commands as processes that can be killed."""
    found = Nursery()
    yield found
    found.close()
