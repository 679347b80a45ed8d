"""A graph of typed nodes and typed edges with attributes, times and labels: what every other part works on.

Nothing in a graph changes after it is made; methods return another graph that shares the columns they leave alone.
All columns may be memory-mapped.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar, cast, final

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.csr import CSR
from marigram.graph.data.tables import EdgeTable, NodeTable, refuse_first

EdgeType = tuple[str, str, str]
"""Source type, relation, target type."""

Kept = TypeVar("Kept")

TimeUnit = Literal["", "ns", "s", "step"]
"""What the times of a graph count: none, nanoseconds of UTC, seconds as int64 nanoseconds, or steps of the source."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Graph:
    """Nodes and edges by type.

    Parameters
    ----------
    nodes
        Type -> :class:`NodeTable`. The order of the types is the order of all nodes together.
    edges
        (source type, relation, target type) -> :class:`EdgeTable`.
    time_unit
        What all times count: ``"ns"`` nanoseconds since 1970 in UTC; ``"s"`` seconds from an origin of the
        source's own, held as int64 nanoseconds; ``"step"`` whole numbers of a unit that the source does not tell;
        ``""`` when nothing has a time.
    order
        int64 ``(N,)``: the place that each node (type after type) had in the source; None when it is the same.
    extra
        Attributes of a PyG object that marigram does not read; handed back by :meth:`to_pyg`, not saved.

    Raises
    ------
    InputError
        An edge leads to a node that does not exist, an edge type names an unknown node type, times without a unit.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram import graph as mgg
    >>> users = mgg.NodeTable.bare(3)
    >>> pays = mgg.EdgeTable(src=np.array([0, 1, 1]), dst=np.array([2, 2, 0]))
    >>> data = mgg.Graph(nodes={"user": users}, edges={("user", "pays", "user"): pays})
    >>> data
    Graph(user 3; user-[pays]->user 3)
    >>> data.csr(("user", "pays", "user")).degrees
    array([1, 0, 2])
    """

    nodes: Mapping[str, NodeTable]
    edges: Mapping[EdgeType, EdgeTable]
    time_unit: TimeUnit = ""
    order: NDArray[np.int64] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    _sorted: dict[tuple[EdgeType, bool], CSR] = field(default_factory=dict, init=False, repr=False)
    _kept: dict[Any, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.nodes:
            raise InputError(0, "a graph needs a node type")
        for name, table in self.nodes.items():
            if not table.count:
                raise InputError(0, f"node type {name!r} is empty")
        timed = [table.time is not None for table in (*self.nodes.values(), *self.edges.values())]
        if any(timed) and not self.time_unit:
            raise InputError(0, "the graph has times; say what they count: time_unit 'ns', 's' or 'step'")
        if self.order is not None and self.order.shape != (self.count,):
            raise InputError(0, f"order must have one place for each of {self.count} nodes")
        for kind, edges in self.edges.items():
            self._check_ends(kind, edges)

    def _check_ends(self, kind: EdgeType, table: EdgeTable) -> None:
        name = "-".join(kind)
        for end, node_type, column in (("source", kind[0], table.src), ("target", kind[2], table.dst)):
            if node_type not in self.nodes:
                raise InputError(0, f"edge type {name}: there is no node type {node_type!r}")
            count = self.nodes[node_type].count
            if len(column) and (column.min() < 0 or column.max() >= count):
                refuse_first(
                    (column < 0) | (column >= count),
                    lambda row, column=column, end=end, node_type=node_type, count=count: (
                        f"edges {name}, row {row}: {end} {column[row]} is not one of the {count:,} "
                        f"nodes of type {node_type!r}"
                    ),
                )

    # --- size and order --------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """The number of nodes over all types."""
        return sum(table.count for table in self.nodes.values())

    @property
    def edge_count(self) -> int:
        """The number of edges over all types, each once."""
        return sum(table.count for table in self.edges.values())

    @property
    def offsets(self) -> dict[str, int]:
        """The number of the first node of each type when the types stand one after another."""
        ends = np.cumsum([0, *(table.count for table in self.nodes.values())])
        return dict(zip(self.nodes, map(int, ends), strict=False))

    @property
    def labelled_types(self) -> tuple[str, ...]:
        """The node types that have labels."""
        return tuple(name for name, table in self.nodes.items() if table.labels is not None)

    @property
    def split_count(self) -> int:
        """How many splits there are."""
        return max((len(t.splits) for t in self.nodes.values() if t.splits is not None), default=0)

    def flat(self, values: Mapping[str, NDArray[Any]], fill: float = np.nan) -> NDArray[Any]:
        """Put values per node of some types into one array over all nodes, in the order of the source.

        Parameters
        ----------
        values
            Node type -> array ``(count, …)``.
        fill
            What nodes of the other types get.
        """
        first = np.asarray(next(iter(values.values())))
        whole = np.full((self.count, *first.shape[1:]), fill, np.result_type(first.dtype, type(fill)))
        offsets = self.offsets
        for name, part in values.items():
            where = slice(offsets[name], offsets[name] + self.nodes[name].count)
            whole[where if self.order is None else self.order[where]] = part
        return whole

    def places(self, node_type: str) -> NDArray[np.int64]:
        """Return the place of each node of a type in the order of the source: int64 ``(count,)``."""
        start = self.offsets[node_type]
        stop = start + self.nodes[node_type].count
        return np.arange(start, stop) if self.order is None else self.order[start:stop]

    # --- walking ---------------------------------------------------------------------------------------------------

    def csr(self, edge_type: EdgeType, *, reverse: bool = False) -> CSR:
        """Return the edges of a type sorted for walking; built at the first call and kept.

        Parameters
        ----------
        edge_type
            Which.
        reverse
            False: row v of the target type lists the sources of the edges into v. True: row u of the source type
            lists the targets of the edges out of u.
        """
        key = (edge_type, reverse)
        if key not in self._sorted:
            table = self.edges[edge_type]
            near, far = (table.src, table.dst) if reverse else (table.dst, table.src)
            here, there = (edge_type[0], edge_type[2]) if reverse else (edge_type[2], edge_type[0])
            shape = self.nodes[here].count, self.nodes[there].count
            self._sorted[key] = CSR.build(near, far, shape, table.time)
        return self._sorted[key]

    def adopt(self, edge_type: EdgeType, edges: CSR, *, reverse: bool = False) -> None:
        """Take over edges of a type that were sorted before, so that :meth:`csr` need not."""
        self._sorted[edge_type, reverse] = edges

    def keep(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """Return what ``make()`` gives, made at the first call for this key and kept as long as the graph.

        For what depends on nodes, edges, attributes and times alone: another split of the graph has it too.
        """
        if key not in self._kept:
            self._kept[key] = make()
        return cast(Kept, self._kept[key])

    # --- another graph -----------------------------------------------------------------------------------------------

    def with_split(self, split: int) -> Graph:
        """Return the graph under another of its splits."""
        nodes = {name: t if t.splits is None else t.with_split(split) for name, t in self.nodes.items()}
        edges = {kind: t if t.splits is None else t.with_split(split) for kind, t in self.edges.items()}
        other = self._with(nodes=nodes, edges=edges)
        other._kept.update(self._kept)
        return other

    def with_nodes(self, **tables: NodeTable) -> Graph:
        """Return the graph with other tables, of the same number of rows, for some node types."""
        for name, table in tables.items():
            if name not in self.nodes or self.nodes[name].count != table.count:
                raise InputError(0, f"node type {name!r} is unknown or has another number of nodes")
        return self._with(nodes={**self.nodes, **tables})

    def table(self, of: str | EdgeType) -> NodeTable | EdgeTable:
        """Return the table of a node type or of an edge type."""
        found = self.nodes.get(of) if isinstance(of, str) else self.edges.get(of)
        if found is None:
            raise ParameterError(f"there is no type {of!r} in {self!r}")
        return found

    def with_splits(self, of: str | EdgeType, splits: NDArray[np.int8] | None) -> Graph:
        """Return the graph with other splits, int8 ``(S, count)`` of :class:`Part`, of a node or an edge type."""
        table = self.table(of).with_splits(splits)
        if isinstance(table, NodeTable):
            return self._with(nodes={**self.nodes, of: table})
        return self._with(edges={**self.edges, of: table})

    def before(self, time: int) -> Graph:
        """Return the graph as it was at a time: without later edges; nodes and their numbers stay.

        Edges of types without times stay.
        """
        edges = {
            kind: table if table.time is None else table.take(table.time <= time)
            for kind, table in self.edges.items()
        }
        return replace(self, edges=edges)

    def _with(self, **changes: Any) -> Graph:
        """Return a graph with the same ends of edges, which need no sorting again."""
        other = replace(self, **changes)
        other._sorted.update(self._sorted)
        return other

    # --- elsewhere -------------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write a folder of Parquet and TOML with checksums, which :func:`marigram.graph.load` reads."""
        from marigram.graph.data.folder import save

        save(self, folder)

    def save_mapped(self, path: str | os.PathLike[str]) -> None:
        """Write one file (``.mg``), edges sorted, that is used where it lies: for graphs larger than memory."""
        from marigram.graph.data.mapped import save_mapped

        save_mapped(self, path)

    def to_pyg(self, *, hetero: bool = False) -> Any:
        """Return a PyG ``Data``, or, with several types or when asked, ``HeteroData``; needs the extra ``graph``.

        Names and what PyG has no place for stand beside the usual attributes, so that nothing is lost on the way back.
        """
        from marigram.graph.data.pyg import to_pyg

        return to_pyg(self, hetero=hetero)

    def to_networkx(self) -> Any:
        """Return a networkx ``MultiDiGraph`` with every column as attributes of its nodes and edges."""
        from marigram.graph.data.networkx import to_networkx

        return to_networkx(self)

    def __repr__(self) -> str:
        nodes = ", ".join(f"{name} {table.count:,}" for name, table in self.nodes.items())
        edges = ", ".join(
            f"{source}-[{relation}]->{target} {table.count:,}"
            for (source, relation, target), table in self.edges.items()
        )
        return f"Graph({nodes}; {edges or 'no edges'})"


__all__ = ["EdgeType", "Graph", "TimeUnit"]
