"""The queries that make a graph of rows of events: one text for DuckDB and for Spark.

Nothing in them is of one engine alone. They look at views of their own names, so no column of the source needs
quoting: ``events`` has ``e0``, ``e1``, … (the entities, as texts, null for none), ``t`` (a 64-bit integer, if there is
a time) and ``x0``, ``x1``, … (numbers, null for missing); ``given0``, … (tables of nodes, if any) have ``name``.
"""

# ruff: noqa: S608 - every name in these queries is one of our own

from __future__ import annotations

from collections.abc import Sequence

Columns = Sequence[int]


def clean(entities: int, timed: bool, numbers: int, view: str) -> str:
    """The view ``events`` of ``view``, whose columns have the names but not yet the nulls."""
    parts = [f"NULLIF(e{i}, '') AS e{i}" for i in range(entities)]
    parts += ["t"] if timed else []
    parts += [f"CASE WHEN isnan(x{j}) THEN NULL ELSE x{j} END AS x{j}" for j in range(numbers)]
    return f"SELECT {', '.join(parts)} FROM {view}"


def nodes(columns: Columns, given: str | None) -> str:
    """Every entity of some columns of events, and of a table of nodes, with its number: ``name, place``."""
    parts = [f"SELECT e{i} AS name FROM events WHERE e{i} IS NOT NULL" for i in columns]
    parts += [f"SELECT name FROM {given}"] if given else []
    everyone = " UNION ".join(parts) if len(parts) > 1 else parts[0].replace("SELECT", "SELECT DISTINCT", 1)
    return f"SELECT name, ROW_NUMBER() OVER (ORDER BY name) - 1 AS place FROM ({everyone}) AS everyone"


def edges(source: int, target: int, sources: str, targets: str, timed: bool, numbers: int) -> str:
    """The events that name both of two entities: ``src, dst, t, x0, …``."""
    shown = "".join(f", e.{name} AS {name}" for name in _values(timed, numbers))
    return (
        f"SELECT a.place AS src, b.place AS dst{shown} FROM events AS e "
        f"JOIN {sources} AS a ON e.e{source} = a.name JOIN {targets} AS b ON e.e{target} = b.name"
    )


def in_order(of: str, timed: bool, numbers: int) -> str:
    """Edges in the order of time, then of everything else, so that the order is one."""
    values = _values(timed, numbers)
    return f"SELECT * FROM {of} ORDER BY {', '.join([*values[:timed], 'src', 'dst', *values[timed:]])}"


def joined(of: str, given: str, columns: Sequence[str]) -> str:
    """What a table of nodes says of each node, in the order of their numbers; null where it says nothing."""
    shown = "".join(f", g.{name} AS {name}" for name in columns)
    return (
        f"SELECT n.place AS place, n.name AS name{shown} FROM {of} AS n "
        f"LEFT JOIN {given} AS g ON n.name = g.name ORDER BY n.place"
    )


def names(of: str) -> str:
    """The names of all nodes, in the order of their numbers."""
    return f"SELECT place, name FROM {of} ORDER BY place"


def activity(of: str, columns: Columns, timed: bool, numbers: int) -> str:
    """What each node did: its events, of each number mean, standard deviation and extremes, first and last time."""
    shown = "".join(f", {name}" for name in _values(timed, numbers))
    every = " UNION ALL ".join(
        f"SELECT e{i} AS name{shown} FROM events WHERE e{i} IS NOT NULL" for i in columns
    )
    parts = ["n.name AS name", "COUNT(m.name) AS events"]
    for j in range(numbers):
        parts += [f"AVG(m.x{j}) AS mean_x{j}", f"STDDEV_POP(m.x{j}) AS std_x{j}"]
        parts += [f"MIN(m.x{j}) AS min_x{j}", f"MAX(m.x{j}) AS max_x{j}"]
    parts += ["MIN(m.t) AS first_t", "MAX(m.t) AS last_t"] if timed else []
    return (
        f"SELECT n.place AS place, {', '.join(parts)} FROM {of} AS n LEFT JOIN ({every}) AS m ON n.name = m.name "
        "GROUP BY n.place, n.name ORDER BY n.place"
    )


def count(of: str) -> str:
    """How many rows there are."""
    return f"SELECT COUNT(*) AS n FROM {of}"


def distinct(of: str) -> str:
    """How many different names there are."""
    return f"SELECT COUNT(DISTINCT name) AS n FROM {of}"


def without_time() -> str:
    """How many events have no time."""
    return "SELECT COUNT(*) AS n FROM events WHERE t IS NULL"


def _values(timed: bool, numbers: int) -> list[str]:
    return (["t"] if timed else []) + [f"x{j}" for j in range(numbers)]


__all__ = [
    "activity",
    "clean",
    "count",
    "distinct",
    "edges",
    "in_order",
    "joined",
    "names",
    "nodes",
    "without_time",
]
