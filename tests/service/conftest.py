"""A service in the process of the test, spoken to as a program would."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from marigram.service.app import build
from marigram.service.tenants import Settings

HOME = "http://127.0.0.1:8765"


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., TestClient]]:
    """Start services; each is stopped at the end."""
    running: list[TestClient] = []

    def start(folder: Path = tmp_path / "state", **options: Any) -> TestClient:
        client = TestClient(
            build(Settings(folder, silence=False, **options)), base_url=HOME, raise_server_exceptions=False
        )
        running.append(client)
        return client.__enter__()

    yield start
    for client in running:
        client.__exit__()
