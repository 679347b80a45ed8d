"""Every edge is walked both ways, once, and is never older than it can be."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from marigram.graph.data import EdgeTable, Graph, NodeTable
from marigram.graph.relations import edge_times, relations_of

SAME, ACROSS = ("a", "meets", "a"), ("a", "owns", "b")
pairs = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=20)


def graph(edges, kind, times=None, node_times=None, unit="ns"):
    src, dst = np.array(edges, np.int64).reshape(-1, 2).T
    nodes = {"a": NodeTable.bare(6), "b": NodeTable.bare(4)}
    if node_times is not None:
        nodes["a"] = NodeTable(attributes=nodes["a"].attributes, time=np.asarray(node_times))
    table = EdgeTable(src=src, dst=dst, time=times)
    timed = times is not None or node_times is not None
    return Graph(nodes=nodes, edges={kind: table}, time_unit=unit if timed else "")


def triples(csr):
    return sorted(zip(csr.indices.tolist(), csr.receivers.tolist(), csr.edge.tolist(), strict=True))


@given(pairs)
def test_within_a_type_both_ways_are_one_relation(edges):
    data = graph(edges, SAME)
    (csr,) = relations_of(data).values()
    both = {(u, v, e) for e, (u, v) in enumerate(edges)} | {(v, u, e) for e, (u, v) in enumerate(edges)}
    if sorted(edges) == sorted((v, u) for u, v in edges) and any(u != v for u, v in edges):
        both = {(u, v, e) for e, (u, v) in enumerate(edges)}  # the list has both ways already
    assert triples(csr) == sorted(both)


@given(pairs)
def test_across_types_each_way_is_a_relation(edges):
    data = graph(edges, ACROSS)
    forth, back = relations_of(data).values()
    assert list(relations_of(data)) == [ACROSS, ("b", "rev_owns", "a")]
    assert triples(forth) == sorted((u, v, e) for e, (u, v) in enumerate(edges))
    assert triples(back) == sorted((v, u, e) for e, (u, v) in enumerate(edges))


def test_directed_graphs_keep_the_ways_apart():
    found = relations_of(graph([(0, 1), (1, 0)], SAME), directed=True)
    assert list(found) == [SAME, ("a", "rev_meets", "a")]
    assert all(len(csr) == 2 for csr in found.values())


def test_an_edge_is_as_old_as_its_younger_end_unless_it_has_a_time():
    times = np.array([1, 2, 3, 4, 5, 6])
    data = graph([(0, 3), (4, 1), (2, 2)], SAME, node_times=times)
    assert edge_times(data, SAME).tolist() == [4, 5, 3]
    (csr,) = relations_of(data).values()
    assert [sorted(csr.times[csr.edge == e].tolist()) for e in range(3)] == [[4, 4], [5, 5], [3]]
    forth, back = relations_of(graph([(0, 3), (4, 1)], ACROSS, node_times=times)).values()
    assert (forth.times.tolist(), back.times.tolist()) == ([5, 1], [1, 5])
    data = graph([(0, 3)], SAME, times=np.array([9]), node_times=times)
    assert edge_times(data, SAME).tolist() == [9]
    assert edge_times(graph([(0, 3)], SAME), SAME) is None
