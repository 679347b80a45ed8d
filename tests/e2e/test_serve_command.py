"""The service as a user runs it: a token, events by `send`, twice; what `doctor` and `audit` say afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.recovery.server import COMMAND, Server

from marigram import Client
from marigram.service.client import ServiceError
from marigram.store.database import FILE


def marigram(*arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MARIGRAM_TOKEN": token},
    )


@pytest.mark.e2e
def test_a_service_from_its_first_token_to_its_audit(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    refused = marigram("serve", "--state", state, "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - it is refused
    assert (refused.returncode, "marigram token add" in refused.stderr) == (2, True)
    token = marigram("token", "add", "me", "--state", state).stdout.strip()
    assert token.startswith("mgt_")
    table = tmp_path / "load.csv"
    rows = [f"2026-05-01T{i // 60:02d}:{i % 60:02d}:00Z,web-{i % 2},{i % 7}.5" for i in range(1200)]
    table.write_text("\n".join(["time,host,load", *rows, "2026-05-02,web-1,much", ""]))
    with Server(tmp_path / "state") as server:
        server.start()
        with Client(
            server.url, token
        ) as client:  # the service reads seconds from here on, the file has texts
            assert client.send(
                [{"time": 1_777_500_000 + i, "host": "db", "load": 1.0} for i in range(50)]
            ).accepted
        sent = marigram("send", str(table), "--url", server.url, token=token)
        assert json.loads(sent.stdout) == {"accepted": 1200, "duplicate": 0, "rejected": 1}
        again = marigram("send", str(table), "--url", server.url, token=token)
        assert json.loads(again.stdout) == {"accepted": 0, "duplicate": 1200, "rejected": 1}
        with Client(server.url) as nobody, pytest.raises(ServiceError, match="401"):
            nobody.stats()
        with Client(server.url, token) as client:
            assert client.stats()["accepted"] == 1250
            assert client.key("web-1")["n"] == 600
            assert len(client.verdicts("web-0", 10)) == 10
            assert isinstance(client.alerts(), list)
        (tmp_path / "other.csv").write_text("time,host,load,more\n1,web-1,2,3\n")
        wrong = marigram(
            "send", str(tmp_path / "other.csv"), "--value", "more", "--url", server.url, token=token
        )
        assert (wrong.returncode, "no column 'time'; it has host, more" in wrong.stderr) == (74, True)
        assert marigram("doctor", "--state", state).returncode == 0  # while it runs
        assert server.stop() < 30
    assert "1 rows, whole" in marigram("audit", "verify", "--state", state).stdout
    assert json.loads(marigram("audit", "list", "--state", state).stdout)["action"] == "token.create"
    assert marigram("token", "revoke", "1", "--state", state).returncode == 0
    content = bytearray((tmp_path / "state" / FILE).read_bytes())
    content[3 * 8192 + 100] ^= 4
    (tmp_path / "state" / FILE).write_bytes(content)
    sick = marigram("doctor", "--state", state, "--json")
    assert sick.returncode == 1
    assert any("damaged" in check["detail"] for check in json.loads(sick.stdout)["checks"] if not check["ok"])
