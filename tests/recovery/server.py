"""`marigram serve` as a process of its own, for tests that kill it and benchmarks that measure it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

COMMAND = "from marigram.cli import main; main()"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One folder served on one port, started as often as it is killed."""

    def __init__(self, folder: Path, *options: str, code: str = COMMAND) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._options = options
        self._code = code
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> float:
        """Start it; returns the seconds from exec to the first answer of /readyz."""
        began = time.perf_counter()
        arguments = ["serve", "--state", str(self.folder), "--port", str(self.port), *self._options]
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with open(self.folder.parent / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self._code, *arguments], stdout=log, stderr=log, env={**os.environ}
            )
        while wait and not self.ready():
            if self.process.poll() is not None:
                raise RuntimeError((self.folder.parent / "server.log").read_text()[-3000:])
            time.sleep(0.01)
        return time.perf_counter() - began

    def ready(self) -> bool:
        """Return whether /readyz says so."""
        return self._says("readyz")

    def healthy(self) -> bool:
        """Return whether /healthz says so."""
        return self._says("healthz")

    def _says(self, route: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/{route}", timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refused:
            refused.close()
            return False
        except OSError:
            return False

    def kill(self) -> None:
        """Kill it as nothing can be refused."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> float:
        """Ask it to end; returns the seconds that it took."""
        assert self.process is not None
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - began

    def memory(self) -> int:
        """Return the bytes of its resident memory."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024

    def seconds(self) -> float:
        """Return the processor's seconds that it took so far, all its threads together."""
        assert self.process is not None
        told = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: Any) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
