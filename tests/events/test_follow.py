"""A file that grows, is rotated, cut off, or was replaced while nobody looked."""

import json
import os

import pytest

from marigram.errors import ParameterError
from marigram.events import Schema, open_source

SCHEMA = Schema(time="", key=("k",), values=("v",), id="")


def lines(*numbers):
    return "".join(json.dumps({"k": "a", "v": n}) + "\n" for n in numbers)


def followed(path, *events, **options):
    """Follow a file; before each wait the next of ``events`` happens.  Values, notices, offsets, in order."""
    left = list(events)

    def wait():
        if not left:
            return False
        left.pop(0)()
        return True

    values, notices, offsets = [], [], []
    with open_source(path, follow=True, wait=wait, **options) as source:
        for batch in source:
            values += batch.values.tolist()
            notices += batch.notices
            offsets.append(batch.offset)
    assert not left
    return values, notices, offsets


def appending(path, text):
    def append():
        with open(path, "a") as file:
            file.write(text)

    return append


@pytest.fixture
def path(tmp_path):
    return tmp_path / "in.jsonl"


def test_what_is_added_is_read(path):
    path.write_text(lines(1, 2))
    halves = lines(4)[:9], lines(4)[9:]
    values, notices, offsets = followed(
        path, appending(path, lines(3)), appending(path, halves[0]), appending(path, halves[1]), schema=SCHEMA
    )
    assert values == [1, 2, 3, 4]
    assert notices == []
    assert offsets[-1]["position"] == path.stat().st_size


def test_a_line_without_its_end_waits(path):
    path.write_text(lines(1) + '{"k":"a","v":2')
    assert followed(path, schema=SCHEMA)[0] == [1]
    assert followed(path, appending(path, "3}\n"), schema=SCHEMA)[0] == [1, 23]


def test_a_schema_is_inferred_once_there_are_rows(path):
    path.write_text("")
    values, _, _ = followed(path, lambda: None, appending(path, "host,load\n"), appending(path, "a,1\nb,2\n"))
    assert values == [1, 2]


def test_another_file_in_its_place(path):
    path.write_text(lines(1))

    def rotate():
        appending(path, lines(2))()  # written to the old file after it was last looked at
        os.rename(path, path.with_suffix(".1"))
        path.write_text(lines(3))

    values, notices, offsets = followed(path, rotate, lambda: None, appending(path, lines(4)), schema=SCHEMA)
    assert values == [1, 2, 3, 4]
    assert [notice.removeprefix(str(path)) for notice in notices] == [
        " was replaced by another file, which is read from its beginning"
    ]
    assert offsets[-1]["line"] == 3


def test_it_vanishes_and_comes_back(path):
    path.write_text(lines(1))
    values, notices, _ = followed(
        path, path.unlink, lambda: None, lambda: path.write_text(lines(2)), lambda: None, schema=SCHEMA
    )
    assert values == [1, 2]
    assert len(notices) == 1


@pytest.mark.parametrize("fresh", [lines(7), lines(7, 8, 9, 10, 11)])
def test_it_is_cut_off_and_written_anew(path, fresh):
    path.write_text(lines(1, 2, 3))
    values, notices, _ = followed(path, lambda: path.write_text(fresh), lambda: None, schema=SCHEMA)
    assert values == [1, 2, 3, *(json.loads(line)["v"] for line in fresh.splitlines())]
    assert len(notices) == 1
    assert "cut off" in notices[0]


def test_csv_has_a_header_in_every_file(path):
    path.write_text("k,v\na,1\n")

    def rotate():
        os.rename(path, path.with_suffix(".1"))
        path.write_text("v,k\n2,b\n")

    assert followed(path, rotate, lambda: None, schema=SCHEMA)[0] == [1, 2]


def test_resumed_after_it_grew(path):
    path.write_text(lines(1, 2))
    offset = followed(path, schema=SCHEMA)[2][-1]
    appending(path, lines(*range(3, 400)))()
    values, notices, offsets = followed(path, schema=SCHEMA, start=offset)
    assert values == list(range(3, 400))
    assert notices == []
    appending(path, lines(400))()
    assert followed(path, schema=SCHEMA, start=offsets[-1])[0] == [400]


def test_resumed_after_it_was_replaced(path):
    path.write_text(lines(1, 2))
    offset = followed(path, schema=SCHEMA)[2][-1]
    path.write_text(lines(8, 9, 10))
    values, notices, _ = followed(path, schema=SCHEMA, start=offset)
    assert values == [8, 9, 10]
    assert "was replaced since the last run" in notices[0]


def test_what_is_held_back_stays_so_when_the_waiting_ends(path):
    def timed(*seconds):
        return "".join(f'{{"ts":{1_700_000_000 + s},"value":{s}}}\n' for s in seconds)

    path.write_text(timed(1, 5, 3))
    values, _, offsets = followed(path, lateness=2 * 10**9)
    assert values == [1, 3]
    appending(path, timed(4, 9, 20))()
    assert followed(path, lateness=2 * 10**9, start=offsets[-1])[0] == [4, 5, 9]


@pytest.mark.parametrize("name", ["in.gz", "in.parquet"])
def test_what_cannot_grow_is_refused(tmp_path, name):
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / name
    if name == "in.gz":
        path.write_bytes(gzip.compress(lines(1).encode()))
    else:
        pq.write_table(pa.table({"k": ["a"], "v": [1.0]}), path)
    with pytest.raises(ParameterError, match="only plain JSON lines and CSV can be followed"):
        followed(path, schema=SCHEMA)
