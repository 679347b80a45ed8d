"""Sources: formats, bad input counted line by line, resuming behind every batch."""

import gzip
import io
import json
import os
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram.errors import InputError, ParameterError
from marigram.events import Schema, open_source
from marigram.events.rules import LONGEST

SCHEMA = Schema(time="ts", time_unit="iso", key=("host",), values=("load",), id="")
ROWS = [
    (f"2024-05-01T00:00:{i % 60:02d}Z", f"web-{i % 3}", None if i % 7 == 0 else i / 8) for i in range(100)
]


def jsonl(rows=ROWS):
    return "".join(json.dumps({"ts": t, "host": k, "load": v}) + "\n" for t, k, v in rows).encode()


def as_csv(rows=ROWS):
    return ("ts,host,load\n" + "".join(f"{t},{k},{'' if v is None else v}\n" for t, k, v in rows)).encode()


def table(rows=ROWS):
    times = pa.array([t for t, _, _ in rows]).cast(pa.timestamp("ns", "UTC"))
    return pa.table(
        {
            "ts": times,
            "host": [k for _, k, _ in rows],
            "load": [v for _, _, v in rows],
            "x": [[1]] * len(rows),
        }
    )


def parquet(rows=ROWS):
    sink = io.BytesIO()
    pq.write_table(table(rows), sink, row_group_size=17)
    return sink.getvalue()


def arrow(new):
    sink = io.BytesIO()
    with new(sink, table().schema) as writer:
        writer.write_table(table(), max_chunksize=23)
    return sink.getvalue()


def zstd(data):
    return pa.compress(data[:500], "zstd", asbytes=True) + pa.compress(data[500:], "zstd", asbytes=True)


FORMS = {
    "jsonl": jsonl(),
    "csv": as_csv(),
    "csv.bom.crlf": b"\xef\xbb\xbf" + as_csv().replace(b"\n", b"\r\n"),
    "parquet": parquet(),
    "arrow": arrow(pa.ipc.new_file),
    "arrows": arrow(pa.ipc.new_stream),
    "jsonl.gz": gzip.compress(jsonl()[:900]) + gzip.compress(jsonl()[900:]) + b"\0" * 512,
    "csv.zst": zstd(as_csv()),
    "parquet.gz": gzip.compress(parquet()),
    "arrows.zst": pa.compress(arrow(pa.ipc.new_stream), "zstd", asbytes=True),
}


@pytest.fixture
def write(tmp_path):
    def writing(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return writing


def gathered(source):
    """All events as (time, key, value), the rejects, and the last batch."""
    events, rejects, last = [], [], None
    with source:
        for last in source:
            rejects += last.rejects
            keys = last.keys
            events += zip(last.times.tolist(), keys, last.values.tolist(), strict=True)
    return events, rejects, last


EXPECTED = [
    (1714521600_000000000 + (i % 60) * 10**9, k, np.nan if v is None else v)
    for i, (_, k, v) in enumerate(ROWS)
]


@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_events(write, name):
    source = open_source(write(name, FORMS[name]))
    events, rejects, last = gathered(source)
    assert repr(events) == repr(EXPECTED)
    assert rejects == []
    assert last.lines == source.lines == len(ROWS)
    assert (source.schema.time, source.schema.key, source.schema.values) == ("ts", ("host",), ("load",))
    assert len(source.reasons) == 3


@pytest.mark.parametrize("name", FORMS)
def test_resuming_behind_every_batch(write, name):
    paths = [write("a." + name, FORMS[name]), write("b." + name, FORMS[name])]
    source = open_source(paths, batch_rows=9)
    head, offsets = [], []
    with source:
        for batch in source:
            head += [float(x) for x in batch.values]
            offsets.append((len(head), json.loads(json.dumps(batch.offset)), batch.lines))
    assert len(offsets) > 20
    for rows, offset, lines in offsets:
        again = open_source(paths, source.schema, batch_rows=11, start=offset)
        events, _, last = gathered(again)
        assert repr([value for _, _, value in events]) == repr(head[rows:])
        assert (last.lines if last else lines) == 2 * len(ROWS)


def test_bad_lines_are_counted_and_told(write):
    lines = jsonl(ROWS[:10]).splitlines()
    lines[2] = b"{broken"
    lines[4] = lines[4].replace(b"web", b"w\xffb")
    lines[5] = b'{"ts":"2024-05-01","host":"a","load":1e999}'
    lines[7] = b'{"pad":"' + b"x" * (LONGEST + 5_000_000) + b'"}'
    lines[8:8] = [b"", b"  \t\r"]
    source = open_source(write("in", b"\n".join(lines)))
    events, rejects, last = gathered(source)
    assert [(r.line, r.reason.split(":")[0].split(" of")[0]) for r in rejects] == [
        (3, "broken JSON"),
        (5, "invalid UTF-8"),
        (6, "load"),
        (8, "a line"),
    ]
    assert len(rejects[3].raw) == 4096
    assert len(events) + len(rejects) == last.lines == source.lines == 10
    assert source.blank == 2
    assert [value for _, _, value in events if value == value] == [ROWS[i][2] for i in (1, 3, 6, 8, 9)]
    assert json.loads(rejects[1].to_json())["raw"].startswith('{"ts"')


@pytest.mark.parametrize("name", ["jsonl", "csv", "parquet"])
def test_strict_stops_at_the_first_bad_line(write, name):
    rows = [*ROWS[:5], ("2024-05-01T00:01:00Z", "", 1.0), *ROWS[5:8]]
    data = {"jsonl": jsonl, "csv": as_csv, "parquet": parquet}[name](rows)
    with (
        open_source(write(name, data), strict=True) as source,
        pytest.raises(InputError, match="host: missing") as told,
    ):
        list(source)
    assert told.value.line == (7 if name == "csv" else 6)


def test_bad_cells_of_tables(write):
    data = pa.table(
        {
            "time": pa.array([1714521600, 1714521601, None, 1714521603, 2**60, 1714521605], pa.int64()),
            "device": pa.array([7, 8, 9, None, 10, 11]),
            "value": [1.0, float("inf"), 2.0, 3.0, 4.0, float("nan")],
        }
    )
    sink = io.BytesIO()
    pq.write_table(data, sink)
    schema = Schema(time="time", time_unit="s", key=("device",), values=("value",), id="")
    events, rejects, last = gathered(open_source(write("p", sink.getvalue()), schema))
    assert [(key, value) for _, key, value in events if value == value] == [("7", 1.0)]
    assert [(r.line, r.reason) for r in rejects] == [
        (2, "value: inf is beyond 1e300 in size"),
        (3, "time: missing, and it is the time"),
        (4, "device: missing, and it belongs to the key"),
        (5, "time: outside the years 1677 to 2262"),
    ]
    assert rejects[0].raw == b"1714521601, 8, inf"
    assert last.lines == 6


def test_columns_that_cannot_be_values(write):
    path = write("p", parquet())
    for schema, reason in [
        (Schema(values=("host",)), "'host' holds string, and numbers are needed"),
        (Schema(values=("load",), key=("ts",)), "'ts' holds timestamp.* texts or integers are needed"),
        (Schema(values=("lod",)), "no column 'lod' .did you mean 'load'"),
    ]:
        with pytest.raises(ParameterError, match=reason):
            gathered(open_source(path, schema))


@pytest.mark.parametrize("name", ["jsonl", "csv"])
def test_a_misspelt_column_is_refused_before_the_first_row(write, name):
    with pytest.raises(ParameterError, match=r"no column 'hots' .did you mean 'host'"):
        open_source(write("in", FORMS[name]), Schema(key=("hots",)))


@pytest.mark.parametrize("cut", [10, 200, 350])
def test_truncated_gzip(write, cut):
    packed = gzip.compress(jsonl(), 1)
    source = open_source(write("in.gz", packed[: len(packed) - cut]), SCHEMA)
    events, rejects, last = gathered(source)
    assert repr(events) == repr(EXPECTED[: len(events)])
    assert [(r.line, r.reason) for r in rejects] == [(len(events) + 1, "the gzip data end in the middle")]
    assert last.lines == len(events) + 1


def test_damage_in_packed_files(write):
    packed = bytearray(gzip.compress(jsonl(), 1))
    packed[len(packed) // 2] ^= 255
    events, rejects, _ = gathered(open_source(write("in.gz", bytes(packed)), SCHEMA))
    assert "damaged" in rejects[-1].reason
    assert repr(events) == repr(EXPECTED[: len(events)])
    assert len(events) > 20
    packed = pa.compress(jsonl(ROWS * 40), "zstd", asbytes=True)
    events, rejects, _ = gathered(open_source([write("in.zst", packed[:-9]), write("b", jsonl())], SCHEMA))
    assert [r.reason[:44] for r in rejects] == ["the zstd data are damaged or end in the midd"]
    assert repr(events[-len(ROWS) :]) == repr(EXPECTED)
    assert len(events) > 10 * len(ROWS)


def test_one_of_many_files_that_cannot_be_read_is_one_reject(write, tmp_path):
    good = write("a", as_csv())
    other = write("b", b"when,what\n1,2\n")
    broken = write("c", parquet()[:-30])
    os.mkdir(tmp_path / "folder")
    events, rejects, last = gathered(open_source([broken, good, other, str(tmp_path / "folder"), good]))
    assert len(events) == 2 * len(ROWS)
    assert [r.line for r in rejects] == [0, 0, 0]
    for reject, reason in zip(
        rejects, ["not a readable parquet file", "no column 'ts'", "is a folder"], strict=True
    ):
        assert reason in reject.reason
    assert last.lines == 2 * len(ROWS) + 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no rows"),
        (b"\n\n", "no rows"),
        (b"[\n{}]", "one JSON array"),
        ("v\n1\n".encode("utf-16"), "UTF-16"),
        (b"PAR1 and no more", "not a readable parquet file"),
        (b"name,colour\na,red\nb,blue\n", "no column of numbers"),
    ],
)
def test_inputs_that_are_refused(write, data, reason):
    with pytest.raises(InputError, match=reason):
        open_source(write("in", data))


def test_inputs_that_do_not_exist(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_source(tmp_path / "nothing")
    with pytest.raises(InputError, match="is a folder"):
        open_source(tmp_path)
    with pytest.raises(ParameterError, match="no input"):
        open_source([])


def test_a_file_that_is_another_one_is_not_resumed(write):
    path = write("a", jsonl())
    with open_source(path, SCHEMA, batch_rows=10) as source:
        offset = next(iter(source)).offset
    write("a", jsonl(ROWS[5:]))
    with pytest.raises(InputError, match="not the file that was read before"):
        gathered(open_source(path, SCHEMA, start=offset))
    with pytest.raises(InputError, match="cannot resume"):
        open_source(write("b", jsonl()), SCHEMA, start=offset)
    with pytest.raises(ParameterError, match="no offset"):
        open_source(path, SCHEMA, start={"position": "here"})


def test_a_pipe(write):
    read, write_end = os.pipe()
    path = f"/dev/fd/{read}"

    def feed():
        with os.fdopen(write_end, "wb") as file:
            file.write(gzip.compress(jsonl()))

    thread = threading.Thread(target=feed)
    thread.start()
    events, rejects, _ = gathered(open_source(path))
    thread.join()
    os.close(read)
    assert repr(events) == repr(EXPECTED)
    assert rejects == []


def test_values_of_several_coordinates(write):
    data = b'{"a":1,"b":2,"c":null}\n{"b":5,"a":4}\n{"a":true,"b":1,"c":1}\n'
    with open_source(write("in", data), Schema(values=("a", "c", "b"))) as source:
        batches = list(source)
    assert np.array_equal(batches[0].values, [[1, np.nan, 2], [4, np.nan, 5]], equal_nan=True)
    assert batches[0].times is None
    assert batches[0].key_codes is None
    assert len(batches[0].rejects) == 1


def test_plain_numbers_without_a_header(write):
    with open_source(write("in", b"3\n4\n\n5\n")) as source:
        assert [batch.values.tolist() for batch in source] == [[3.0, 4.0, 5.0]]
    assert source.schema.values == ("c1",)
    assert source.blank == 1


def test_semicolons_and_several_keys(write):
    data = b"host;metric;value\na;cpu;1\na;mem;2\na|b;cpu;3\n"
    with open_source(write("in", data)) as source:
        assert [list(batch.keys) for batch in source] == [["a|cpu", "a|mem", "a\\|b|cpu"]]
    assert source.schema.key == ("host", "metric")


def test_ids(write):
    data = b'{"id":"x","v":1}\n{"id":7,"v":1}\n{"v":1}\n{"id":true,"v":1}\n{"id":"\\u00e9","v":1}\n'
    with open_source(write("in", data), Schema(id="id", values=("v",))) as source:
        (batch,) = list(source)
    assert batch.ids.tolist() == ["x", "7", None, "é"]
    assert [reject.line for reject in batch.rejects] == [4]


def test_a_flood_of_keys_begins_the_names_anew(write, monkeypatch):
    monkeypatch.setattr("marigram.events.source._MOST_NAMES", 50)
    rows = [("2024-05-01T00:00:00Z", f"k{i}", float(i)) for i in range(200)]
    with open_source(write("in", jsonl(rows)), SCHEMA, batch_rows=20) as source:
        batches = list(source)
    assert [key for batch in batches for key in batch.keys] == [f"k{i}" for i in range(200)]
    assert len({id(batch.key_names) for batch in batches}) == 4
