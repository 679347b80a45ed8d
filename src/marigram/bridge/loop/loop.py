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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram import snapshots
from marigram.bridge.graphs import graph_of
from marigram.bridge.loop.around import Neighbourhood, neighbourhood
from marigram.bridge.loop.asking import Question, questions
from marigram.bridge.loop.described import described
from marigram.bridge.loop.folder import Current, LoopFolder
from marigram.bridge.loop.labels import Known, Label, Of, Word, entity_labels, resolved
from marigram.bridge.loop.process import Process, Scale
from marigram.bridge.loop.refit import Fitted, Material, Report, refit, scored
from marigram.bridge.presets import Preset
from marigram.bridge.readers import open_events
from marigram.errors import InputError, ParameterError
from marigram.events.entities import EntitySchema
from marigram.events.entity_guess import as_table
from marigram.graph.data import Graph

if TYPE_CHECKING:  # importing it needs the extra [graph]
    from marigram.graph.detectors.detector import NodeDetector

_KIND = "loop model"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of the streams, with the loop's context.

    Attributes
    ----------
    number
        Of the case.
    row
        The event that it is about: the one with the highest stream score.
    rows
        How many events it has.
    opened
        ns.
    finding, what, actor, action, entity
        As the streams named it.
    score
        Of the streams.
    suspicion
        Of the version in use, 0 to 1; not calibrated, since few labels cannot tell how often it is right.
    word
        What people said of it; ``""`` for nothing, ``"conflict"`` where they differ.
    """

    number: int
    row: int
    rows: int
    opened: int
    finding: str
    what: str
    actor: str
    action: str
    entity: str
    score: float
    suspicion: float
    word: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What the loop adds to an alert."""

    version: int
    suspicion: float
    rank: int
    """1 for the most suspicious of all events."""
    of: int
    neighbourhood: str
    malicious_around: int
    """Events within two hops and before it that people called malicious."""
    fine_around: int


@final
class Moment:
    """The loop's data at one moment: everything that pages and refits ask of it, made once.

    Parameters
    ----------
    folder
        Of the loop.
    """

    def __init__(self, folder: LoopFolder) -> None:
        held = folder.events()
        if held is None:
            raise InputError(0, f"no events were taken into {folder.path} yet")
        self.folder, (self.table, self.verdicts) = folder, held
        self.schema = folder.schema()
        self.current = folder.current()
        self.model, self.detector = load_version(folder, self.current.version)

    @property
    def event(self) -> str:
        """Node type of the events."""
        return self.schema.event

    @cached_property
    def graph(self) -> Graph:
        """The graph of all events."""
        return graph_of(self.table, self.schema.without_label())

    @cached_property
    def ids(self) -> list[str]:
        """The id of each event; ``#row`` where it has none."""
        told = self.verdicts["id"].tolist()
        return [f"#{row}" if name is None else str(name) for row, name in enumerate(told)]

    @cached_property
    def material(self) -> Material:
        """What a refit looks at."""
        events = described(self.graph, self.event, self.verdicts)
        return Material(events, self.graph, self.event, np.asarray(self.verdicts["score"], float), self.ids)

    @cached_property
    def logits(self) -> NDArray[np.float64]:
        """The score of each event by the version in use; by the streams where there is none."""
        if self.model is None:
            return Scale.fit(self.material.events, self.material.score).prior(self.material.score)
        return scored(self.model, self.detector, self.material)

    @cached_property
    def peaks(self) -> dict[int, int]:
        """Case -> the row with its highest stream score."""
        case, score = self.verdicts["case"], self.verdicts["score"]
        order = np.argsort(score, kind="stable")
        return {int(case[row]): int(row) for row in order if case[row] >= 0}

    @cached_property
    def entities(self) -> dict[str, NDArray[np.int64]]:
        """``type/name`` -> rows of its events."""
        found: dict[str, list[NDArray[Any]]] = {}
        for kind, edges in self.graph.edges.items():
            ids = self.graph.nodes[kind[2]].ids
            order = np.argsort(edges.dst, kind="stable")
            cuts = np.searchsorted(edges.dst[order], np.arange(self.graph.nodes[kind[2]].count + 1))
            for number in range(len(cuts) - 1):
                name = str(number) if ids is None else str(ids[number].as_py())
                rows = edges.src[order[cuts[number] : cuts[number + 1]]]
                found.setdefault(f"{kind[2]}/{name}", []).append(rows)
        return {name: np.unique(np.concatenate(rows)) for name, rows in found.items()}

    def known(self) -> Known:
        """Return what the labels of now say of the events."""
        places = {name: row for row, name in enumerate(self.ids)}
        labels = self.folder.labels.all()
        needed = self.entities if any(label.of == "entity" for label in labels) else {}
        return resolved(labels, places, self.verdicts["case"], self.peaks, needed, self.verdicts["time"])

    def suspicion(self, row: int) -> float:
        """Return the score of an event on the scale from 0 to 1."""
        return float(1 / (1 + np.exp(-np.clip(self.logits[row], -30, 30))))

    def around(self, row: int) -> Neighbourhood:
        """Return the two-hop neighbourhood of an event, as of its time."""
        return neighbourhood(self.graph, self.event, row)


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
        scale = Scale.fit(material.events, material.score)
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
        moment = self.moment()
        known = moment.known()
        word = {
            int(row): ("fine", "malicious")[int(label)]
            for row, label in zip(known.rows, known.labels, strict=True)
        }
        v = moment.verdicts
        sizes = np.bincount(v["case"][v["case"] >= 0], minlength=1)
        first: dict[int, int] = {}
        for row, number in enumerate(v["case"].tolist()):
            if number >= 0:
                first.setdefault(number, row)
        found = [
            Case(
                number=number, row=row, rows=int(sizes[number]), opened=int(v["time"][first[number]]),
                finding=str(v["finding"][row]), what=str(v["what"][row]), actor=str(v["actor"][row] or ""),
                action=str(v["action"][row] or ""), entity=str(v["entity"][row] or ""), score=float(v["score"][row]),
                suspicion=moment.suspicion(row),
                word="conflict" if f"case {number}" in known.conflicts else word.get(row, ""),
            )
            for number, row in moment.peaks.items()
        ]  # fmt: skip
        return sorted(found, key=lambda case: (-case.suspicion, case.number))

    def context(self, row: int) -> Context:
        """Return what the loop knows of an event: its score, and what lies within two hops as of its time."""
        moment = self.moment()
        place = moment.around(row)
        said = moment.known().over(len(moment.ids))
        near = [node.number for node in place.nodes if node.kind == moment.event and node.hop == 2]
        return Context(
            version=moment.current.version,
            suspicion=moment.suspicion(row),
            rank=int((moment.logits > moment.logits[row]).sum()) + 1,
            of=len(moment.ids),
            neighbourhood=place.in_words(),
            malicious_around=int((said[near] == 1).sum()),
            fine_around=int((said[near] == 0).sum()),
        )

    def row_of(self, event_id: str) -> int | None:
        """Return the row of an event by its id."""
        ids = self.moment().ids
        return ids.index(event_id) if event_id in ids else None

    def entity_labels(self) -> Mapping[str, NDArray[np.int8]]:
        """Return what the events' labels say of entities, type by type."""
        moment = self.moment()
        return entity_labels(moment.graph, moment.event, moment.known().over(len(moment.ids)))


def save_version(folder: Path, found: Fitted) -> None:
    """Write a version's files into a folder."""
    for name, model in (("model.mg", found.model), ("trial.mg", found.trial)):
        meta, arrays = model.packed()
        snapshots.save(folder / name, _KIND, meta, arrays)
    if found.detector is not None:
        found.detector.save(folder / "trees")
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(found.report)))


def load_version(folder: LoopFolder, number: int) -> tuple[Process | None, NodeDetector | None]:
    """Return the models of a version; None for the streams alone."""
    if not number:
        return None, None
    trees = folder.version(number) / "trees"
    if not trees.is_dir():
        return load_model(folder, number, "model.mg"), None
    from marigram.graph.detectors.detector import NodeDetector

    return load_model(folder, number, "model.mg"), NodeDetector.load(trees)


def load_model(folder: LoopFolder, number: int, name: str) -> Process:
    """Return one process of a version."""
    meta, arrays = snapshots.load(folder.version(number) / name, _KIND)
    return Process.unpacked(meta, arrays)


def _digest(table: pa.Table, source: str) -> str:
    digest = hashlib.blake2b(source.encode(), digest_size=16)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    digest.update(sink.getvalue())
    return digest.hexdigest()


__all__ = ["Case", "Context", "Loop", "Moment", "load_version", "save_version"]
