"""A fleet saved in mid-stream goes on as if it had never stopped; a damaged file is never believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marigram as mg
from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.fleet import Fleet

from .streams import MINUTE, START, same, stream


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fleet") / "fleet.mg"
    keys, values, times = stream(4, rows=400, keys=5)
    fleet = Fleet(mg.Detector(alpha=0.01))
    fleet.update(keys, values, times)
    fleet.save(path)
    return path


@settings(max_examples=20)
@given(
    st.integers(0, 1000),
    st.integers(0, 600),
    st.sampled_from([1, 2]),
    st.booleans(),
    st.sampled_from([str, int]),
    st.sampled_from([None, "60 kB"]),
    st.sampled_from([None, "70 kB"]),
)
def test_a_snapshot_in_mid_stream_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    cut: int,
    d: int,
    timed: bool,
    kind: type,
    memory: str | None,
    later: str | None,
) -> None:
    keys, values, times = stream(seed, rows=600, keys=40, d=d)
    if kind is int:
        keys = np.array([int(key[4:]) for key in keys])
    when = times if timed else np.full(600, np.iinfo(np.int64).min)
    path = tmp_path_factory.mktemp("mid") / "fleet.mg"
    fleet = Fleet(keys=kind, memory=memory)
    fleet.update(keys[:cut], values[:cut], when[:cut])
    fleet.save(path)
    again = Fleet.load(path, memory=later)
    assert again.keys().tolist() == fleet.keys().tolist()
    assert same(
        again.update(keys[cut:], values[cut:], when[cut:]), fleet.update(keys[cut:], values[cut:], when[cut:])
    )
    assert same(again.silent(START + 10**6 * MINUTE), fleet.silent(START + 10**6 * MINUTE))


def test_the_file_depends_on_the_state_alone(tmp_path: Path) -> None:
    keys, values, times = stream(4, rows=400, keys=50)
    files = []
    for k, fleet in enumerate((Fleet(), Fleet(), Fleet(memory="60 kB"), Fleet(memory="60 kB"))):
        for part in (slice(0, 400),) if k % 2 else (slice(0, 7), slice(7, 300), slice(300, 400)):
            fleet.update(keys[part], values[part], times[part])
        fleet.save(tmp_path / str(k))
        Fleet.load(tmp_path / str(k)).save(tmp_path / f"again {k}")
        files.append((tmp_path / str(k)).read_bytes())
        assert files[-1] == (tmp_path / f"again {k}").read_bytes()
    assert files[0] == files[1]
    assert files[2] == files[3]
    meta, arrays = snapshots.unpack(files[0], "fleet")
    capped, the_same = snapshots.unpack(files[2], "fleet")
    assert meta | {"memory": 60_000} == capped
    assert all(array.tobytes() == the_same[name].tobytes() for name, array in arrays.items())


def test_settings_and_note_come_back(tmp_path: Path) -> None:
    fleet = Fleet(mg.Detector(alpha=0.02, season="off"), keys=int, memory="1 MiB", threads=2)
    fleet.note = {"offset": 17, "who": ["a"]}
    fleet.save(tmp_path / "empty.mg")
    again = Fleet.load(tmp_path / "empty.mg")
    assert (len(again), again.parameters, again.note) == (0, fleet.parameters, fleet.note)
    assert (again._memory, again._shares.threads, again._index.kind) == (2**20, 2, "int")
    other = Fleet.load(tmp_path / "empty.mg", memory=10**6, threads=1)
    assert (other._memory, other._shares.threads) == (10**6, 1)


def test_other_files_are_refused_in_words(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "x.mg"
    path.write_bytes(mg.Detector().to_bytes())
    with pytest.raises(SnapshotError, match="holds a detector, not a fleet"):
        Fleet.load(path)
    with pytest.raises(SnapshotError, match="No such file"):
        Fleet.load(tmp_path / "absent.mg")
    meta, arrays = snapshots.unpack(saved.read_bytes(), "fleet")
    others: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        (meta | {"version": 2}, arrays, "version 2"),
        (meta | {"alpha": 1}, arrays, "no fleet of this version"),
        (meta | {"parameters": {"alpha": 7.0}}, arrays, "no fleet of this version"),
        (meta | {"count": 4}, arrays, "layout"),
        (meta | {"d": 2}, arrays, "layout"),
        (meta | {"keys": "int"}, arrays, "keys"),
        (meta, arrays | {"key_ends": arrays["key_ends"][:-1]}, "do not lie where"),
        (meta, arrays | {"key_ends": arrays["key_ends"] * 0}, "do not lie where"),
        (meta, arrays | {"key_ends": arrays["key_ends"] + 9}, "do not lie where"),
        (meta, {name: array for name, array in arrays.items() if name != "pool"}, "pool"),
        (meta, arrays | {"flagged": np.zeros(3)}, "layout"),
    ]
    for changed, held, reason in others:
        snapshots.save(path, "fleet", changed, held)
        with pytest.raises((SnapshotError, ParameterError), match=reason):
            Fleet.load(path)


@settings(max_examples=100)
@given(st.data())
def test_every_flipped_bit_of_a_fleet_is_found(
    tmp_path_factory: pytest.TempPathFactory, saved: Path, data: st.DataObject
) -> None:
    damaged = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[place // 8] ^= 1 << place % 8
    path = tmp_path_factory.getbasetemp() / "damaged.mg"
    path.write_bytes(damaged)
    with pytest.raises(SnapshotError):
        Fleet.load(path)
