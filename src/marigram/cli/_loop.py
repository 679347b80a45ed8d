"""A round of `marigram loop`: what it takes in, and how it tells what came of it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import typer

from marigram.bridge.loop.folder import LoopFolder
from marigram.bridge.loop.labels import WORDS
from marigram.bridge.loop.loop import Case, Loop
from marigram.bridge.loop.refit import Report
from marigram.bridge.loop.servicelog import is_service, schema_of_service
from marigram.cli._errors import say
from marigram.cli._stop import Stop
from marigram.errors import ParameterError
from marigram.wording import moment, printable

PLACE = "loop"
"""The folder of the loop within that of the service."""
_SUBJECTS = ("case", "event", "entity")
_LOOKED_THROUGH = 5000
"""Names among which one like a wrong one is looked for."""


@dataclass
class Round:
    """What is done in each round.

    Parameters
    ----------
    state, sources, preset, schema
        As on the command line.
    labels, by
        What somebody says before the refit, and who.
    queue, cases
        How many questions and alerts are told.
    json
        Whether to print JSON, one object a line.
    """

    state: Path
    sources: Sequence[str]
    preset: str | None
    schema: Path | None
    labels: Sequence[str]
    by: str
    queue: int
    cases: int
    json: bool

    def once(self) -> None:
        """Take in what is new, learn from what was said, and tell."""
        loop = self._opened()
        taken, refused, words = self._taken(loop)
        words_here = [_told(text) for text in self.labels]
        for of, subject, _ in words_here:
            _check_subject(loop, of, subject)
        said = [loop.say(*word, by=self.by) for word in words_here] + [True] * words
        report = loop.refit() if loop.folder.labels.all() else None
        if self.json:
            self._as_json(loop, report)
        else:
            say(
                f"{taken:,} events are new, {refused:,} rows were refused, {sum(said)} labels are new; "
                f"version {loop.version} is in use"
            )
            self._as_text(loop, report)

    def go_on(self, seconds: float) -> int:
        """Do rounds until a signal comes; a round without anything new learns nothing. Return the exit code."""
        known: tuple[Any, ...] = ()
        with Stop() as stop:
            for _ in stop.over(_beats(seconds)):
                loop = self._opened()
                taken, _, _ = self._taken(loop)
                labels = loop.folder.labels.all()
                state = (len(loop.folder.index().parts), labels)
                if labels and state != known:
                    say(_in_words(loop.refit(), loop.version))
                elif taken:
                    say(f"{taken:,} events are new")
                known = state
        return stop.code

    def _opened(self) -> Loop:
        folder = LoopFolder(self.state / PLACE)
        if folder.exists and self.preset is None and self.schema is None:
            return Loop(folder.path)
        if self.preset is None and self.schema is None and is_service(self.state):
            return Loop.begin(folder.path, schema_of_service(self.state))
        if (self.preset is None) == (self.schema is None):
            raise ParameterError("say what the events are: --preset NAME, or --schema TOML")
        from marigram.bridge import preset
        from marigram.events.entities import EntitySchema

        if self.schema is not None:
            return Loop.begin(folder.path, EntitySchema.from_toml(self.schema))
        known = preset(str(self.preset))
        return Loop.begin(folder.path, known.schema, known.reader)

    def _taken(self, loop: Loop) -> tuple[int, int, int]:
        """Events that are new, rows that were refused, labels that are new."""
        taken, refused = loop.take_files(self.sources) if self.sources else (0, 0)
        if self.sources or not is_service(self.state):
            return taken, refused, 0
        new, words = loop.take_service(self.state)
        return taken + new, refused, words

    def _as_json(self, loop: Loop, report: Report | None) -> None:
        typer.echo(msgspec.json.encode({"version": loop.version, "report": report}))
        for case in loop.cases()[: self.cases]:
            typer.echo(msgspec.json.encode({"case": case, "context": loop.context(case.row)}))
        for question, name in loop.queue(self.queue) if self.queue else ():
            typer.echo(msgspec.json.encode({"question": question, "event": name}))

    def _as_text(self, loop: Loop, report: Report | None) -> None:
        if report is not None:
            typer.echo(_in_words(report, loop.version))
        for case in loop.cases()[: self.cases]:
            typer.echo(case_line(case))
            typer.echo(f"    around it: {printable(loop.context(case.row).neighbourhood)}")
        for question, name in loop.queue(self.queue) if self.queue else ():
            typer.echo(f"ask about event {printable(name)}: {question.reason}")


def case_line(case: Case) -> str:
    """An alert in one line."""
    said = f", said to be {case.word}" if case.word else ""
    who = printable(f"{case.actor} {case.action}".strip())
    return (
        f"case {case.number}  {moment(case.opened)}  {printable(case.finding)}  {who}  "
        f"({case.rows} events, suspicion {case.suspicion:.0%}{said})"
    )


def rolled_back(state: Path, *, json: bool) -> None:
    """Use the version before the present one."""
    number = Loop(state / PLACE).roll_back()
    if json:
        typer.echo(msgspec.json.encode({"version": number}))
    else:
        say(f"version {number} is in use{' again' if number else ': the streams alone'}")


def _told(text: str) -> tuple[Any, str, Any]:
    """What ``case:3=true`` says."""
    subject, _, word = text.rpartition("=")
    of, _, name = subject.partition(":")
    if of not in _SUBJECTS or not name or word not in WORDS:
        raise ParameterError(f"--label is {'|'.join(_SUBJECTS)}:NAME={'|'.join(WORDS)}, got {text!r}")
    return of, name, word


def _check_subject(loop: Loop, of: str, subject: str) -> None:
    """Refuse a word on something that is not there: it would be counted as spent, and teach nothing."""
    moment = loop.moment()
    there: Collection[str] = moment.entities
    if of == "event":
        there = moment.ids
    elif of == "case":
        there = {str(number) for number in moment.peaks}
    if subject not in there:
        near = difflib.get_close_matches(subject, list(there)[:_LOOKED_THROUGH], n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ParameterError(f"there is no {of} {subject!r}{hint}")


def _in_words(report: Report, version: int) -> str:
    state = f"version {version} is in use" if report.promoted else f"not promoted, version {version} stays"
    lines = [
        f"{report.labels} events are labelled, {report.malicious} malicious, {report.spent:g} labels spent: {state}"
    ]
    lines += [f"  {report.reason}", f"  {report.trees}"]
    lines += [
        f"  over {gain.over}: average precision {gain.with_it:.3f} against {gain.without:.3f}"
        for gain in report.gains
        if gain.with_it is not None and gain.without is not None
    ]
    lines += [f"  people differ on {conflict}" for conflict in report.conflicts]
    return "\n".join(lines)


def _beats(seconds: float) -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1
        time.sleep(seconds)


__all__ = ["PLACE", "Round", "case_line", "rolled_back"]
