"""The fidelity of new nodes: what it says of copies and of strangers, and what rejecting takes away."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError
from marigram.graph.fidelity.fidelity import without

DATA = planted(0, by="neighbours", n=800)
PAYS = ("user", "pays", "user")


def strangers(count: int) -> mgg.Graph:
    """New anomalies with attributes that no real node has."""
    train = mgg.augment(DATA, "duplicate", 2.0)
    users = train.nodes["user"]
    numeric = users.attributes.numeric.copy()
    numeric[DATA.nodes["user"].count :] += count
    return train.with_nodes(user=users.with_attributes(replace(users.attributes, numeric=numeric)))


def test_twins_are_copies_with_the_degrees_of_their_models() -> None:
    [found] = mgg.Fidelity.of(DATA, mgg.augment(DATA, "duplicate", 2.0)).classes
    assert (found.node_type, found.label, found.held_out) == ("user", 1, True)
    assert found.nearest.copies == 1
    assert found.nearest.ratio == 0
    assert 0.8 < found.degree_ratio < 1.3
    assert {d.name for d in found.degrees} == {"pays", "rev_visits"} or {d.name for d in found.degrees} >= {
        "pays"
    }
    assert all(d.ks < 0.35 for d in found.features)
    assert found.homophily[0] > 0.3


def test_strangers_are_found_out() -> None:
    [found] = mgg.Fidelity.of(DATA, strangers(9)).classes
    assert found.auc > 0.98
    assert all(d.ks == 1 for d in found.features)
    assert all(d.wasserstein > 5 for d in found.features)
    assert found.nearest.copies == 0
    assert found.nearest.ratio > 3
    assert found.placed[1] == 0


def test_where_attributes_have_few_values_real_nodes_are_copies_too() -> None:
    users = DATA.nodes["user"]
    flags = mgg.Columns.of_numbers((users.attributes.numeric > 0).astype(np.float32))
    data = DATA.with_nodes(user=users.with_attributes(flags))
    train = mgg.augment(data, "duplicate", 2.0)
    [found] = mgg.Fidelity.of(data, train).classes
    assert found.nearest.copies == 1
    assert found.copies_real > 0.9
    assert found.placed[0] < 0.05
    assert found.placed[1] < 1
    assert "attributes exactly of a training node, real and new" in mgg.Fidelity.of(data, train).html


def test_rejected_nodes_and_their_edges_are_gone() -> None:
    train = mgg.augment(DATA, "duplicate", 2.0)
    n, whole = DATA.nodes["user"].count, train.nodes["user"].count
    left = without(train, "user", n, [0, 3])
    assert left.nodes["user"].count == whole - 2
    assert left.edges[PAYS].count < train.edges[PAYS].count
    rows = np.delete(np.arange(whole), [n, n + 3])
    np.testing.assert_array_equal(
        left.nodes["user"].attributes.numeric, train.nodes["user"].attributes.numeric[rows]
    )
    # an edge that stays joins the same nodes as before
    pays = train.edges[PAYS]
    stays = ~np.isin(pays.src, [n, n + 3]) & ~np.isin(pays.dst, [n, n + 3])
    np.testing.assert_array_equal(rows[left.edges[PAYS].src], pays.src[stays])
    np.testing.assert_array_equal(rows[left.edges[PAYS].dst], pays.dst[stays])
    found = mgg.Fidelity.of(DATA, train, reject=[3, 0])
    assert found.rejected == (0, 3)
    assert found.classes[0].new == whole - n - 2


def test_what_cannot_be_compared_is_refused() -> None:
    train = mgg.augment(DATA, "duplicate", 1.0)
    with pytest.raises(ParameterError, match="no new node 9999"):
        mgg.Fidelity.of(DATA, train, reject=[9999])
    with pytest.raises(InputError, match="no new nodes"):
        mgg.Fidelity.of(DATA, DATA)
    with pytest.raises(InputError, match="not those of the real one"):
        mgg.Fidelity.of(planted(1, by="neighbours", n=800), train)


def test_it_can_be_said_in_json_and_shown_on_a_page() -> None:
    found = mgg.Fidelity.of(DATA, strangers(9), reject=[1])
    told = json.loads(json.dumps(found.as_dict()))
    assert told["classes"][0]["nearest"][1] == 0
    assert told["rejected"] == [1]
    model = mgg.NodeDetector(hops=1, trees=QUICK).fit(DATA, augment="smote", ratio=2.0)
    report = mgg.Report(DATA, model, top=1, fidelity=found)
    assert "New nodes beside real ones" in report.html
    assert "More training data" in report.html
    assert report.html.count("<svg") >= 5
    assert report.as_dict()["augmentation"]["asked"] == "smote"
    assert report.as_dict()["fidelity"]["classes"][0]["auc"] > 0.9
