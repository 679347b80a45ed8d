"""What `marigram demo` does: three series, then the loop from the first event to a trained graph detector."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path
from typing import Any, Final

import numpy as np
import typer

from marigram.cli._errors import say

LABELS: Final = 20
"""Labels that the demo spends."""
AT_A_TIME: Final = 5
PATIENCE: Final = 60.0
"""Seconds in which the service should listen."""
_NEEDED: Final = ("apsw", "fastapi", "nicegui", "uvicorn")


def series(out: Path, *, json: bool) -> int:
    """Watch the series that ship; return the exit code."""
    from marigram import datasets
    from marigram.cli._config import detector_of
    from marigram.cli._pipeline import Job
    from marigram.cli._run import Show, watch_job
    from marigram.events import Schema

    names = datasets.names()
    for name in names:
        say(f"{name}: {datasets.info(name).about}")
    schema = Schema(time="time", time_unit="iso", key=("key",), values=("value",), id="")
    sources = [str(datasets.path(name)) for name in names]
    job = Job(sources=sources, schema=schema, detector=detector_of(None, None))
    return watch_job(job, Show(json=json, human=not json, plot=out, title="marigram demo"))


class Story:
    """The loop on packaged CloudTrail events, with labels that ship beside them in place of a person.

    Parameters
    ----------
    state
        Where the loop is kept; None: a new folder.
    quiet
        Whether to print nothing to standard output.
    """

    def __init__(self, state: Path | None, *, quiet: bool = False) -> None:
        self.state = state or Path(tempfile.mkdtemp(prefix="marigram-demo-"))
        self.quiet = quiet

    def tell(self) -> None:
        """Go through it, and print what happens."""
        from marigram.bridge import preset
        from marigram.bridge.loop.loop import Loop
        from marigram.cli._loop import PLACE, case_line
        from marigram.datasets import cloudtrail

        begun = time.monotonic()
        sample = cloudtrail()
        known = preset("cloudtrail")
        loop = Loop.begin(self.state / PLACE, known.schema)
        self._print(f"\nDay one: {sample.events.num_rows:,} real CloudTrail events of one hour, no label.")
        loop.take(sample.events, source="cloudtrail-sample")
        moment = loop.moment()
        truth = np.asarray(sample.labels)
        alerts = len(loop.cases())
        self._print(
            f"The streams alone raise {alerts} alerts. {_figure(moment.logits, truth, [])} The first ones:"
        )
        for case in loop.cases()[:3]:
            self._print(f"  {case_line(case)}")
        self._print(f"\nA person answers {LABELS} questions that the loop asks:")
        asked = self._answered(loop, truth)
        report = loop.refit()
        moment = loop.moment()
        self._print(
            f"\n{report.malicious} of {report.labels} were malicious. {_figure(moment.logits, truth, asked)}"
        )
        self._print("The alerts now, with what stands behind the first:")
        for case in loop.cases()[:3]:
            self._print(f"  {case_line(case)}")
        first = loop.context(loop.cases()[0].row)
        self._print(f"  around it, as of its time: {first.neighbourhood}")
        self._print(f"Version {loop.version} of the model is in use; {time.monotonic() - begun:.0f} s.")

    def _answered(self, loop: Any, truth: Any) -> list[int]:
        rows: list[int] = []
        for _ in range(LABELS // AT_A_TIME):
            for question, name in loop.queue(AT_A_TIME):
                word = "true" if truth[question.event] else "false"
                loop.say("event", name, word, by="demo")
                rows.append(question.event)
                if len(rows) % AT_A_TIME == 1:
                    self._print(f"  event {name}? {question.reason}. Answer: {word}")
        return rows

    def show(self, port: int, *, browser: bool = False) -> None:
        """Serve the page until stopped; open it in a browser as soon as it is there, where one can be."""
        lacking = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if lacking:
            say("the page needs the extra [serve]: pip install 'marigram[serve]'")
            return
        from marigram.service.run import serve
        from marigram.service.tenants import Settings

        port = port or _free_port()
        address = f"http://127.0.0.1:{port}/ui/cases"
        say(f"the page is at {address}; Ctrl-C ends it")
        if browser and _has_browser():
            threading.Thread(target=_open_when_there, args=(address, port), daemon=True).start()
        serve(Settings(state=self.state), "127.0.0.1", port)

    def _print(self, text: str) -> None:
        if not self.quiet:
            typer.echo(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _has_browser() -> bool:
    """Whether a page would open in a window: without a screen it would be a browser of texts in this terminal."""
    screen = any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    return screen or sys.platform in ("darwin", "win32")


def _open_when_there(address: str, port: int) -> None:
    """Open a page once the service listens."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                webbrowser.open(address)
                return
        time.sleep(0.1)


def _figure(logits: Any, truth: Any, asked: list[int]) -> str:
    """Average precision over the events that nobody was asked about."""
    from marigram.evaluate.metrics import average_precision

    rest = np.setdiff1d(np.arange(len(truth)), asked)
    told = average_precision(truth[rest], logits[rest])
    return f"Average precision {told:.2f} of finding {int(truth[rest].sum())} malicious events, {len(asked)} labels."


__all__ = ["AT_A_TIME", "LABELS", "Story", "series"]
