"""New nodes from the space of hop features: they are wired, decoded to seen values, and fixed by one seed."""

from __future__ import annotations

import numpy as np
import pytest
from tests.graph.detectors.graphs import planted

from marigram import graph as mgg
from marigram.graph.augmenters.kinds import Makers
from marigram.graph.augmenters.latent import Latent, _snapped
from marigram.graph.augmenters.makers import known_anomalies
from marigram.graph.augmenters.space import FORMS, Space
from marigram.graph.detectors.jobs import Job
from marigram.graph.detectors.labels import job_of
from marigram.graph.hops import HopFeatures, HopView

pytest.importorskip("torch")
NAMES = ("vae", "vae-both", "godm", "diffusion-plain", "diffusion-rows", "diffusion-both", "vae-between")


def case() -> tuple[Job, HopView]:
    graph = planted(0, by="neighbours", n=400)
    users = graph.nodes["user"]
    attributes = mgg.Columns.of_numbers(np.round(users.attributes.numeric))
    graph = graph.with_nodes(user=users.with_attributes(attributes))
    return job_of(graph, "user", seed=0), HopFeatures.fit(graph, "user", hops=2).view(graph)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marigram.graph.augmenters.latent.TRAINING", 30)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_rows_in_the_columns_of_the_view(name: str) -> None:
    job, view = case()
    first, second = (Makers(3).of(name).sample(job, view, 12, 5) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    assert first.x.shape == (12, len(view.features.names))
    assert (first.labels == 1).all()
    other = Makers(3).of(name).sample(job, view, 12, 6)
    assert (first.x != other.x).any()


def test_wired_nodes_have_seen_values_and_neighbours_and_published_ones_have_none() -> None:
    job, view = case()
    names = view.features.names
    makers = Makers(0)
    wired, alone = (makers.of(name).sample(job, view, 30, 0).x for name in ("diffusion", "godm"))
    degree = names.index("degree by pays")
    assert (wired[:, degree] > 0).all()
    assert (alone[:, degree] == 0).all()
    assert np.isnan(alone[:, names.index("mean of x0 by pays")]).all()
    assert set(np.unique(wired[:, :3])) <= set(np.unique(view.rows(np.arange(400))[:, :3]))
    assert len(np.unique(alone[:, 0])) == 30


def test_whole_rows_lie_where_the_anomalies_lie() -> None:
    """A mean of 400 draws has standard error .05 deviations: .35 is seven of them."""
    job, view = case()
    known = view.rows(known_anomalies(job))
    maker = Latent("gaussian", Makers(0).of("vae").nodes, form=FORMS["-rows"])  # type: ignore[attr-defined]
    rows = maker.sample(job, view, 400, 0).x
    gap = np.abs(np.nanmean(rows, 0) - np.nanmean(known, 0)) / np.maximum(np.nanstd(known, 0), 1e-6)
    assert gap[: view.features.names.index("degree by pays") + 1].max() < 0.35


def test_both_is_half_of_either() -> None:
    job, view = case()
    makers = Makers(0)
    seen = set(np.unique(view.rows(np.arange(400))[:, 0]))
    both = makers.of("diffusion-both").sample(job, view, 21, 0).x
    assert [row[0] in seen for row in both[:11]] == [True] * 11
    assert not any(row[0] in seen for row in both[11:])


def test_between_is_between_two_known_anomalies_and_then_a_little_denoised() -> None:
    job, view = case()
    known = view.rows(known_anomalies(job))
    makers = Makers(0)
    plain, denoised = (
        makers.of(name).sample(job, view, 200, 0).x for name in ("vae-between", "diffusion-between")
    )
    low, high = np.nanmin(known, 0), np.nanmax(known, 0)
    own = slice(0, view.features.names.index("degree by pays"))
    slack = 0.5 * (high - low)[own] + 1e-6  # what 32 components leave over is the nearest node's
    assert ((plain[:, own] >= low[own] - slack) & (plain[:, own] <= high[own] + slack)).all()
    assert (plain != denoised).any()
    gap = np.abs(np.nanmean(plain, 0) - np.nanmean(known, 0)) / np.maximum(np.nanstd(known, 0), 1e-6)
    assert gap[own].max() < 0.5


def test_components_and_what_they_leave_give_the_row_back() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 50)) @ rng.normal(size=(50, 50)) + 7
    x[:, 3] = 2.0
    space = Space.of(x)
    np.testing.assert_allclose(space.decoded(space.encoded, np.arange(60)), x, atol=1e-6)
    assert space.encoded.shape == (60, 32)


def test_values_take_the_nearest_that_was_seen() -> None:
    seen = np.array([1, 5, np.nan, 9], np.float32)
    np.testing.assert_array_equal(_snapped(np.array([-3.0, 2.9, 3.1, 8.0, 99.0]), seen), [1, 1, 5, 9, 9])
    np.testing.assert_array_equal(_snapped(np.array([0.5]), np.array([np.nan], np.float32)), [0.5])
