"""The loop: events are judged by the streams, people say what alerts were, the graph learns, and its score goes back.

>>> import tempfile
>>> from marigram.bridge import EntityStreams
>>> from marigram.events.entities import EntitySchema
>>> schema = EntitySchema(time="at", unit="s", id="id", entities={"user": "account", "ip": "address"})
>>> rows = range(40)
>>> events = {
...     "at": [1_700_000_000 + 60 * i for i in rows], "id": [f"e{i}" for i in rows],
...     "user": ["eve" if i == 30 else "ann" for i in rows], "ip": [f"10.0.0.{i % 3}" for i in rows],
... }
>>> with tempfile.TemporaryDirectory() as folder:
...     loop = Loop.begin(folder, schema)
...     taken = loop.take(events, source="example")
...     said = loop.say("event", "e30", "true", by="you")
...     report = loop.refit()
...     version = loop.version
>>> taken, said, report.malicious, version
(40, True, 1, 1)
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.bridge.loop.asking import Question, questions
from marigram.bridge.loop.folder import Current, LoopFolder
from marigram.bridge.loop.labels import Label, Of, Word, entity_labels
from marigram.bridge.loop.moment import Case, Context, Moment
from marigram.bridge.loop.process import Process
from marigram.bridge.loop.refit import Report, refit
from marigram.bridge.loop.versions import load_model, load_version, save_version
from marigram.bridge.presets import Preset
from marigram.bridge.readers import open_events
from marigram.errors import ParameterError
from marigram.events.entities import EntitySchema
from marigram.events.entity_guess import as_table


@final
class Loop:
    """The loop over one folder.

    Parameters
    ----------
    path
        A folder that :meth:`begin` made.

    Raises
    ------
    ParameterError
        No loop was begun there.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.folder = LoopFolder(path)
        self.folder.index()
        self._moment: tuple[tuple[int, int], Moment] | None = None

    @classmethod
    def begin(cls, path: str | os.PathLike[str], schema: EntitySchema, reader: str = "table") -> Self:
        """Make the folder where it is not there; ParameterError where it has another schema.

        ``reader`` is the form of the files of :meth:`take_files`, as of :class:`~marigram.bridge.Preset`.
        """
        LoopFolder(path).begin(schema, reader)
        return cls(path)

    # --- events and labels --------------------------------------------------------------------------------------

    def take(self, events: Any, *, source: str) -> int:
        """Judge a table of events, in the order of time, and keep them; return how many were new.

        The same table from the same source is taken once.
        """
        table = as_table(events)
        schema = self.folder.schema()
        table = table.select([name for name in table.column_names if name in schema.columns])
        digest = _digest(table, source)
        with self.folder.changing():
            verdicts = self.folder.take(table, source, digest)
        return 0 if verdicts is None else len(verdicts)

    def take_files(self, paths: Sequence[str]) -> tuple[int, int]:
        """Take the events of files, oldest file first; return how many were new, and how many rows were refused."""
        index = self.folder.index()
        form = Preset(about="", reader=index.reader, schema=self.folder.schema())
        taken = refused = 0
        for batch in open_events(paths, form):
            table = batch.table
            if form.schema.time is not None:
                table = table.sort_by(form.schema.time)
            new = self.take(table, source=batch.file)
            taken, refused = taken + new, refused + len(batch.rejects) * bool(new)
        return taken, refused

    def take_service(self, state: str | os.PathLike[str]) -> tuple[int, int]:
        """Take the events that a service has judged since the last time, and what people said of its alerts.

        Returns
        -------
        How many events and how many labels were new.
        """
        from marigram.bridge.loop import servicelog

        folder, mark = Path(state), servicelog.MARK
        parts = [part.source for part in self.folder.index().parts if part.source.startswith(mark)]
        after = int(parts[-1].removeprefix(mark)) if parts else 0
        table, last = servicelog.events_of_service(folder, self.folder.schema(), after)
        taken = self.take(table, source=f"{mark}{last}") if table.num_rows else 0
        return taken, sum(self.folder.labels.add(label) for label in servicelog.labels_of_service(folder))

    def say(
        self,
        of: Of,
        subject: str,
        word: Word,
        *,
        by: str,
        note: str = "",
        cost: float = 1.0,
        at: int | None = None,
    ) -> bool:
        """Keep a person's word on an event, a case or an entity; False when it was said before."""
        label = Label(of=of, subject=subject, word=word, by=by, at=at or time.time_ns(), cost=cost, note=note)
        return self.folder.labels.add(label)

    # --- learning -----------------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """Number of the version in use; 0 is the streams alone."""
        return self.folder.current().version

    def moment(self) -> Moment:
        """Return the data as they are now; made anew when events or the version changed."""
        state = (len(self.folder.index().parts), self.version)
        if self._moment is None or self._moment[0] != state:
            self._moment = (state, Moment(self.folder))
        return self._moment[1]

    def refit(self, *, at: int | None = None) -> Report:
        """Learn from the labels of now; what is learned becomes a version, and is used if it is not worse.

        Returns
        -------
        What came of it; ``promoted`` tells whether it is used.
        """
        with self.folder.changing():
            moment = self.moment()
            current = moment.current
            before = load_model(self.folder, current.version, "trial.mg") if current.version else None
            found = refit(moment.material, moment.known(), at=at or time.time_ns(), before=before)
            number = self.folder.add_version(lambda draft: save_version(draft, found))
            if found.report.promoted:
                self.folder.use(Current(number, (*current.before, current.version)))
        return found.report

    def roll_back(self) -> int:
        """Use the version that was in use before; return its number. ParameterError where there was none."""
        with self.folder.changing():
            current = self.folder.current()
            if not current.before:
                raise ParameterError("there is no version to go back to: the streams alone are in use")
            self.folder.use(Current(current.before[-1], current.before[:-1]))
            return current.before[-1]

    def reports(self) -> dict[int, Report]:
        """Return what each version's refit found."""
        return {
            number: msgspec.json.decode(
                (self.folder.version(number) / "report.json").read_bytes(), type=Report
            )
            for number in self.folder.versions()
        }

    # --- questions ----------------------------------------------------------------------------------------------

    def queue(self, count: int = 5) -> list[tuple[Question, str]]:
        """Return the events whose label would teach most, each with its id; the streams' top alerts are candidates."""
        moment = self.moment()
        known = moment.known()
        material = moment.material
        scale = material.scale
        prior = scale.prior(material.score)
        rows = known.rows
        model = Process.fit(
            scale, scale.placed(material.events.take(rows)), prior[rows], known.labels, known.doubt
        )
        points = scale.placed(material.events)
        told = model.logits(points, prior)
        top = np.array(sorted(moment.peaks.values()), np.int64)
        found = questions(model, points, told, rows, count=count, top=top)
        return [(question, moment.ids[question.event]) for question in found]

    def cases(self) -> list[Case]:
        """Return all alerts, the most suspicious first."""
        return self.moment().cases()

    def context(self, row: int) -> Context:
        """Return what the loop knows of an event: its score, and what lies within two hops as of its time."""
        return self.moment().context(row)

    def row_of(self, event_id: str) -> int | None:
        """Return the row of an event by its id."""
        ids = self.moment().ids
        return ids.index(event_id) if event_id in ids else None

    def entity_labels(self) -> Mapping[str, NDArray[np.int8]]:
        """Return what the events' labels say of entities, type by type."""
        moment = self.moment()
        return entity_labels(moment.graph, moment.event, moment.known().over(len(moment.ids)))


def _digest(table: pa.Table, source: str) -> str:
    digest = hashlib.blake2b(source.encode(), digest_size=16)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()


__all__ = ["Case", "Context", "Loop", "Moment", "load_version", "save_version"]
