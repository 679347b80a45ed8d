"""The sampler against a plain twin, and the laws of what it may and may not depend on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.sampler import NeighbourSampler, Sample

E = ("n", "to", "n")
WORD = 2**64


def random_graph(seed, nodes=40, edges=400, timed=True):
    rng = np.random.default_rng(seed)
    src, dst = rng.integers(0, nodes, (2, edges))
    return src, dst, rng.integers(0, 100, edges) if timed else None


def relation(src, dst, times=None, nodes=40):
    return CSR.build(dst, src, (nodes, nodes), times)


# --- the twin ---------------------------------------------------------------------------------------------------------


def mix(z):
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


STEP = 0x9E3779B97F4A7C15


def below(state, draw, bound):
    return ((mix((state + (draw + 1) * STEP) % WORD) >> 32) * bound) >> 32


def slow_choice(state, degree, wanted, replace):
    if wanted < 0 or (degree <= wanted and not replace):
        return list(range(degree))
    if replace:
        return [below(state, draw, degree) for draw in range(wanted)] if degree else []
    if wanted * (wanted - 1) <= 8 * degree:
        taken = []
        for j in range(degree - wanted, degree):
            slot = below(state, j, j + 1)
            taken.append(j if slot in taken else slot)
        return taken
    taken, left = [], wanted
    for j in range(degree):
        if left and below(state, j, degree - j) < left:
            taken.append(j)
            left -= 1
    return taken


def slow_sample(csr, fanouts, seeds, times, key, disjoint, replace):
    """(node, group) in the order they are reached, and (sender, receiver, slot) of every edge."""
    reached = [(int(node), i if disjoint else 0) for i, node in enumerate(seeds)]
    number = {}
    for i, pair in enumerate(reached):
        number.setdefault(pair, i)
    edges, first = [], 0
    for fanout in fanouts:
        last = len(reached)
        for local in range(first, last):
            node, group = reached[local]
            slots = range(csr.indptr[node], csr.indptr[node + 1])
            if times is not None and len(csr.times):
                slots = [slot for slot in slots if csr.times[slot] <= times[group]]
            salt = 0
            if disjoint:
                when = 0 if times is None else int(times[group])
                salt = mix((int(seeds[group]) + mix((when % WORD) ^ STEP)) % WORD)
            state = mix(key ^ mix((node + salt) % WORD))
            for place in slow_choice(state, len(slots), fanout, replace):
                pair = (int(csr.indices[slots[place]]), group)
                if pair not in number:
                    number[pair] = len(reached)
                    reached.append(pair)
                edges.append((number[pair], local, slots[place]))
        first = last
    return reached, edges


@settings(max_examples=60)
@given(
    graph=st.integers(0, 30),
    fanouts=st.lists(st.integers(-1, 12), min_size=0, max_size=3),
    seeds=st.lists(st.integers(0, 39), max_size=8),
    timed=st.booleans(),
    disjoint=st.booleans(),
    replace=st.booleans(),
)
def test_equals_the_twin(graph, fanouts, seeds, timed, disjoint, replace):
    csr = relation(*random_graph(graph))
    sampler = NeighbourSampler({E: csr}, fanouts, replace=replace, seed=graph)
    times = np.arange(len(seeds)) * 20 if timed else None
    found = sampler.sample("n", seeds, times, disjoint=disjoint)
    apart = disjoint or timed
    reached, edges = slow_sample(csr, fanouts, seeds, times, int(sampler.key(E)), apart, replace)
    assert found.nodes["n"].tolist() == [node for node, _ in reached]
    assert (found.groups is not None) == apart
    if apart:
        assert found.groups["n"].tolist() == [group for _, group in reached]
    assert list(zip(found.senders[E], found.receivers[E], found.slots[E], strict=True)) == edges
    assert sum(found.node_counts["n"]) == len(reached)
    assert sum(found.edge_counts[E]) == len(edges)


# --- laws -------------------------------------------------------------------------------------------------------------


def neighbours(found: Sample, node_of_receiver: int) -> list[int]:
    local = np.flatnonzero(found.nodes["n"] == node_of_receiver)[0]
    return found.edges[E][found.receivers[E] == local].tolist()


@settings(max_examples=25)
@given(st.permutations(list(range(12))), st.integers(0, 5))
def test_a_node_has_the_same_neighbours_in_every_batch(order, seed):
    csr = relation(*random_graph(seed))
    sampler = NeighbourSampler({E: csr}, [3], seed=seed)
    whole = sampler.sample("n", order)
    for node in order[:4]:
        assert neighbours(whole, node) == neighbours(sampler.sample("n", [node]), node)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 99)), min_size=1, max_size=6), st.integers(0, 5))
def test_a_timed_neighbourhood_depends_on_its_seed_alone(seeds, seed):
    csr = relation(*random_graph(seed))
    sampler = NeighbourSampler({E: csr}, [3, 3], seed=seed)
    nodes, times = np.array(seeds).T
    whole = sampler.sample("n", nodes, times)
    for i, (node, time) in enumerate(seeds):
        alone = sampler.sample("n", [node], [time])
        mine = whole.groups["n"] == i
        assert set(whole.nodes["n"][mine]) == set(alone.nodes["n"])
        assert sorted(whole.edges[E][mine[whole.receivers[E]]]) == sorted(alone.edges[E])
        assert (csr.times[alone.slots[E]] <= time).all()


@given(st.integers(0, 20), st.integers(0, 8), st.booleans())
def test_edges_are_real_and_as_many_as_asked_for(seed, fanout, replace):
    src, dst, times = random_graph(seed)
    csr = relation(src, dst, times)
    found = NeighbourSampler({E: csr}, [fanout], replace=replace, seed=seed).sample("n", np.arange(40))
    nodes, edges = found.nodes["n"], found.edges[E]
    assert (src[edges] == nodes[found.senders[E]]).all()
    assert (dst[edges] == nodes[found.receivers[E]]).all()
    assert (np.diff(found.receivers[E]) >= 0).all()
    degree = np.bincount(dst, minlength=40)
    drawn = np.bincount(found.receivers[E], minlength=40)
    assert (drawn == (fanout * (degree > 0) if replace else np.minimum(degree, fanout))).all()
    if not replace:
        assert len(set(edges.tolist())) == len(edges)


@pytest.mark.parametrize(("degree", "fanout", "replace"), [(30, 3, False), (30, 20, False), (7, 5, True)])
def test_every_neighbour_is_equally_likely(degree, fanout, replace):
    # chi-square over 4,000 epochs: fails by chance with probability 1e-4; the seeds are fixed
    csr = CSR.build(np.zeros(degree, int), np.arange(degree), (1, degree))
    kind = ("a", "to", "b")
    counts, pairs = np.zeros(degree), np.zeros((degree, degree))
    for epoch in range(4000):
        found = NeighbourSampler({kind: csr}, [fanout], replace=replace, epoch=epoch).sample("b", [0])
        drawn = found.edges[kind]
        np.add.at(counts, drawn, 1)
        pairs[drawn[0], drawn[1]] += 1
    spread = (1 - fanout / degree) * degree / (degree - 1) if not replace else 1.0
    statistic = ((counts - counts.mean()) ** 2 / counts.mean()).sum() / spread
    assert statistic < stats.chi2.isf(1e-4, degree - 1)
    if replace:  # the first two draws are independent
        statistic = ((pairs - pairs.mean()) ** 2 / pairs.mean()).sum()
        assert statistic < stats.chi2.isf(1e-4, degree**2 - 1)


def test_an_epoch_draws_anew_and_a_seed_repeats():
    csr = relation(*random_graph(0))
    sampler = NeighbourSampler({E: csr}, [3, 3], seed=5)
    first = sampler.sample("n", [0, 1, 2]).edges[E]
    sampler.epoch = 1
    assert sampler.sample("n", [0, 1, 2]).edges[E].tolist() != first.tolist()
    sampler.epoch = 0
    assert sampler.sample("n", [0, 1, 2]).edges[E].tolist() == first.tolist()


@settings(max_examples=20)
@given(st.integers(0, 20), st.booleans())
def test_degrees_are_those_that_the_seed_can_see(seed, timed):
    src, dst, times = random_graph(seed)
    sampler = NeighbourSampler({E: relation(src, dst, times)}, [2])
    limits = np.array([10, 50, 99]) if timed else None
    found = sampler.sample("n", [1, 2, 3], limits)
    counts = sampler.degrees(found, limits)[E]
    for i, node in enumerate(found.nodes["n"]):
        limit = limits[found.groups["n"][i]] if timed else 1000
        assert counts[i] == ((dst == node) & (times <= limit)).sum()


def test_types_are_walked_along_their_relations():
    buys, sold = ("user", "buys", "item"), ("item", "sold_to", "user")
    relations = {
        buys: CSR.build([0, 0, 1], [0, 1, 1], (2, 3)),
        sold: CSR.build([0, 1, 1, 2], [0, 0, 1, 1], (3, 2)),
    }
    found = NeighbourSampler(relations, {buys: [-1, -1], sold: [0, -1]}).sample("item", [0])
    assert found.nodes["item"].tolist() == [0, 1]
    assert found.nodes["user"].tolist() == [0, 1]
    assert found.edge_counts == {buys: [2, 0], sold: [0, 3]}
    assert found.node_counts == {"user": [0, 2, 0], "item": [1, 0, 1]}


def test_equal_seeds_stay_apart_and_are_found_once():
    csr = relation(*random_graph(0))
    found = NeighbourSampler({E: csr}, [2]).sample("n", [7, 7, 7])
    assert found.nodes["n"][:3].tolist() == [7, 7, 7]
    assert np.bincount(found.receivers[E]).tolist() == [2, 2, 2]


def test_a_large_sample_outgrows_its_first_tables():
    src, dst, _ = random_graph(1, nodes=5000, edges=40_000)
    csr = CSR.build(dst, src, (5000, 5000))
    found = NeighbourSampler({E: csr}, [-1, -1, -1]).sample("n", [3, 3, 4])
    hop = {3, 4}
    for _ in range(3):
        hop |= set(src[np.isin(dst, list(hop))].tolist())
    assert set(found.nodes["n"].tolist()) == hop
    assert len(found.nodes["n"]) == len(hop) + 1


def test_relations_may_be_mapped_from_a_file(tmp_path):
    csr = relation(*random_graph(2))
    csr.save(tmp_path / "edges")
    mapped = CSR.load(tmp_path / "edges")
    samples = [NeighbourSampler({E: c}, [3, 3]).sample("n", [1, 2], [50, 60]) for c in (csr, mapped)]
    assert samples[0].edges[E].tolist() == samples[1].edges[E].tolist()
    assert not mapped.indices.flags.owndata


@pytest.mark.parametrize(
    ("settings", "seeds", "words"),
    [
        ({"fanouts": [-2]}, [0], "fanouts"),
        ({"fanouts": {("a", "b", "c"): [1]}}, [0], "fanouts"),
        ({"fanouts": [1], "seed": -1}, [0], "seed"),
        ({"fanouts": [1]}, [40], "0 to 39"),
        ({"fanouts": [1]}, [-1], "0 to 39"),
        ({"fanouts": [1]}, [0.5], "integers"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, seeds, words):
    csr = relation(*random_graph(0))
    with pytest.raises(ParameterError, match=words):
        NeighbourSampler({E: csr}, **settings).sample("n", seeds)
    with pytest.raises(ParameterError, match="no relation"):
        NeighbourSampler({E: csr}, [1]).sample("other", [0])
