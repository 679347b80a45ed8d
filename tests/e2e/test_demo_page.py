"""`marigram demo` where a person is: its page is there, and is opened in the browser of the person's choice."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("nicegui")
pytestmark = pytest.mark.e2e

COMMAND = """
import marigram.cli._demo as demo
from marigram.cli import main
demo.series = lambda *_, **__: 0  # the story itself is told in another test
demo.Story.tell = lambda self: None
main()
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_page_is_opened_at_a_terminal_alone(terminal: bool, tmp_path: Path) -> None:
    told, stub = tmp_path / "opened.txt", tmp_path / "browser"
    stub.write_text(f'#!/bin/sh\necho "$1" > {told}\n')
    stub.chmod(0o755)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "demo", "--out", str(tmp_path / "demo.html"), "--port", "0"],
        stdin=theirs if terminal else subprocess.DEVNULL,
        stdout=theirs if terminal else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "BROWSER": str(stub)},
    )
    os.close(theirs)
    if terminal:
        end = time.monotonic() + 120
        while not (told.exists() and told.read_text().strip()) and time.monotonic() < end:
            assert process.poll() is None
            time.sleep(0.05)
        address = told.read_text().strip()
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own
            assert answer.status == 200
            assert b"Cases" in answer.read()
        process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=120)[1].decode()
    os.close(ours)
    assert process.returncode == (128 + signal.SIGINT if terminal else 0), errors
    assert told.exists() == terminal
    assert ("the page is at http://127.0.0.1:" if terminal else "the page: marigram serve --state") in errors
