"""What was accepted is there after a crash, once and in order; what was not is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import SnapshotError
from marigram.events.batch import Batch, Reject
from marigram.events.keys import KeyNames
from marigram.store.journal import Journal, pack_batch, read_journal, unpack_batch


def batch(number: int, *, rows: int = 5, keyed: bool = True, timed: bool = True, d: int = 1) -> Batch:
    rng = np.random.default_rng(number)
    names = KeyNames()
    names.codes_of(f"key {k}" for k in range(9))
    values = rng.normal(size=(rows, d))
    values[0] = np.nan
    ids = np.array([None, "a", "ü", "x", 7] * rows, object)[:rows]
    return Batch(
        values=values[:, 0] if d == 1 else values,
        times=np.arange(rows) if timed else None,
        key_codes=rng.integers(0, 9, rows) if keyed else None,
        key_names=names,
        ids=ids if keyed else None,
        rejects=[Reject("-", number, "broken", b"\xff{")],
        lines=number * rows,
        offset={"position": number},
        notices=["told"],
    )


def plain(one: Batch) -> dict[str, Any]:
    """Everything a batch says, comparable."""
    return {
        "values": one.values.tobytes() + str(one.values.shape).encode(),
        "times": None if one.times is None else one.times.tolist(),
        "keys": None if one.keys is None else one.keys.tolist(),
        "ids": None if one.ids is None else one.ids.tolist(),
        "rejects": one.rejects,
        "rest": (one.lines, one.offset, one.notices),
    }


@pytest.mark.parametrize("form", [{}, {"keyed": False}, {"timed": False}, {"d": 3}])
def test_a_batch_comes_back_as_it_was(form: dict[str, Any]) -> None:
    one = batch(3, **form)
    names = KeyNames()
    names.codes_of(["another"])
    assert plain(unpack_batch(pack_batch(one), names)) == plain(one)


def test_batches_come_back_in_order_and_appending_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for number in range(4):
        journal = Journal(path)
        journal.append(batch(number))
        journal.append(batch(number + 10))
        journal.close()
        assert journal.nbytes == path.stat().st_size
    wanted = [n for k in range(4) for n in (k, k + 10)]
    assert [plain(b) for b in read_journal(path, KeyNames())] == [plain(batch(n)) for n in wanted]


def test_nothing_is_there_before_the_first_batch(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "journal", KeyNames())) == []
    assert Journal(tmp_path / "journal").nbytes == 0
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50)
@given(st.data())
def test_a_journal_cut_anywhere_keeps_its_whole_batches(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal"
    journal = Journal(path)
    sizes = [0]
    for number in range(3):
        journal.append(batch(number))
        sizes.append(journal.nbytes)
    journal.close()
    cut = data.draw(st.integers(0, sizes[-1]))
    whole = max(k for k, size in enumerate(sizes) if size <= cut)
    torn = bool(sizes[whole] < cut)
    zeros = data.draw(st.integers(0, sizes[whole + 1] - cut)) if torn else 0
    path.write_bytes(path.read_bytes()[:cut] + bytes(zeros))
    again = Journal(path)
    again.append(batch(7))
    again.close()
    wanted = [plain(batch(n)) for n in (*range(whole), 7)]
    assert [plain(b) for b in read_journal(path, KeyNames())] == wanted


def test_a_flipped_bit_is_an_error_before_the_end_and_a_torn_frame_at_it(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    for number in range(3):
        journal.append(batch(number))
    journal.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match="damaged at byte"):
        list(read_journal(path, KeyNames()))
    content[len(content) // 2] ^= 4
    content[-5] ^= 4
    path.write_bytes(content)
    assert len(list(read_journal(path, KeyNames()))) == 2
