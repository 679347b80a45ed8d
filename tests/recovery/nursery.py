"""Commands as processes of their own that are born in an instant, to be killed by the dozen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

NURSERY = """
import json, os, signal, sys
import marigram.bridge.loop.contexts, marigram.cli._loop, marigram.cli._preset, marigram.cli.watch
import marigram.cli._preset_files as files, marigram.cli._preset_state as state
from marigram.cli import main

files.LOOK, files.PATIENCE, state.EVERY, state.SHARE = 0.02, 0.5, 0.05, 1.0

def fatal(left):
    for name in ("replace", "fsync", "write", "ftruncate"):
        def counted(*arguments, real=getattr(os, name)):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments)
        setattr(os, name, counted)

print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    order = json.loads(line)
    child = os.fork()
    if not child:
        sys.argv = ["marigram", *order["arguments"]]
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        fatal([order["write"]])
        try:
            main()
        except SystemExit as ended:
            os._exit(ended.code or 0)
        finally:
            os._exit(70)
    print(child, flush=True)
    sys.stdin.readline()  # until then the child is there to be killed, be it a zombie
    print(os.waitpid(child, 0)[1], flush=True)
"""


class Nursery:
    """A process that has imported everything, and gives birth to one that runs a command, to be killed or not."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._told() == "ready"

    def run(
        self, *arguments: str, kill_after: float | None = None, at_write: int = 0, by: int = signal.SIGKILL
    ) -> bool:
        """Run a command, and kill it after so many seconds or before its n-th write; return whether it ended well."""
        order = {"arguments": arguments, "write": at_write}
        self._say(json.dumps(order))
        child = int(self._told())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(child, by)
        self._say("wait")
        status = int(self._told())
        assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) in (0, 128 + by)
        return not os.WIFSIGNALED(status)

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _told(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def close(self) -> None:
        self._process.communicate()
