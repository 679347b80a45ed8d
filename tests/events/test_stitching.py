"""Parquet files put one behind the other hold all rows of all, to whatever reads them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram import Kind, Verdicts
from marigram.events import open_sink, parts
from marigram.events.stitching import _Reader, _write_struct, stitched


def table(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "id": pa.nulls(rows, pa.string()),
            "value": pa.array(rng.normal(size=rows), mask=rng.random(rows) < 0.2),
            "key": pa.array(rng.choice(["a", "bb", "größe"], rows)),
            "kind": pa.array(rng.choice(["normal", "anomaly"], rows)).dictionary_encode(),
            "why": pa.array([[0.5, 0.5]] * rows, pa.list_(pa.float64())),
            "time": pa.array(rng.integers(0, 9, rows), pa.timestamp("ns", "UTC")),
            "notice": rng.random(rows) < 0.5,
        }
    )


def written(folder: Path, tables: list[pa.Table], group: int, index: bool) -> list[Path]:
    paths = [folder / f"{i}.parquet" for i in range(len(tables))]
    for path, one in zip(paths, tables, strict=True):
        pq.write_table(one, path, row_group_size=group, compression="zstd", write_page_index=index)
    return paths


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=5), st.integers(20, 300), st.booleans())
def test_all_rows_are_there_in_order(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], group: int, index: bool
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    tables = [table(rows, seed) for seed, rows in enumerate(lengths)]
    pieces = written(folder, tables, group, index)
    with (folder / "all.parquet").open("wb") as sink:
        assert stitched(pieces, sink)
    whole = pa.concat_tables(tables)
    with pq.ParquetFile(folder / "all.parquet") as file:
        assert file.read().equals(whole)
        assert file.num_row_groups == sum(pq.ParquetFile(piece).num_row_groups for piece in pieces)
    large = pq.read_table(folder / "all.parquet", filters=[("value", ">", 1.0)])  # by the statistics, too
    assert large.num_rows == np.count_nonzero(whole["value"].to_numpy(zero_copy_only=False) > 1.0)


def test_other_columns_are_not_put_together(tmp_path: Path) -> None:
    pieces = written(tmp_path, [table(5, 0), table(5, 1).drop_columns(["id"])], 10, False)
    sink = io.BytesIO()
    assert not stitched(pieces, sink)
    assert sink.getvalue() == b""


def test_a_footer_read_and_written_is_the_same(tmp_path: Path) -> None:
    data = written(tmp_path, [table(900, 3)], 50, True)[0].read_bytes()
    footer = data[-8 - int.from_bytes(data[-8:-4], "little") : -8]
    again = bytearray()
    _write_struct(again, _Reader(footer).struct())
    assert bytes(again) == footer


def test_a_file_that_was_cut_is_told(tmp_path: Path) -> None:
    pieces = written(tmp_path, [table(5, 0)], 10, False)
    pieces[0].write_bytes(pieces[0].read_bytes()[:-3])
    with pytest.raises(OSError, match="no whole Parquet file"):
        stitched(pieces, io.BytesIO())


def test_a_sink_joins_large_pieces_by_their_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_LARGE", 0)
    monkeypatch.setattr(parts.PartFiles, "_join", lambda *_: pytest.fail("rows were written twice"))
    rng = np.random.default_rng(0)
    sink = open_sink(tmp_path / "v.parquet", resumable=True)
    values = [rng.normal(size=rows) for rows in (300, 1, 70)]
    for part in values:
        sink.write(Verdicts(value=part, kind=np.full(len(part), Kind.NORMAL, np.uint8)))
        sink.flush()
    sink.close()
    assert pq.read_table(tmp_path / "v.parquet")["value"].to_pylist() == np.concatenate(values).tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["v.parquet"]
