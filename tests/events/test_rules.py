"""The rules against the standard library's reading of JSON and CSV, and the reasons people get."""

import csv
import json
import math

import pytest
from hypothesis import given, settings

from marigram.errors import ParameterError
from marigram.events import Schema, parse_time
from marigram.events.keys import joined
from marigram.events.rules import LONGEST, BadLine, CsvRules, JsonRules, cells_of
from marigram.events.times import Zone

from .strategies import broken, csv_lines, json_lines

SCHEMAS = [
    Schema(time="ts", time_unit="iso", tz="Europe/Berlin", key=("k",), values=("v", "w"), id="id"),
    Schema(time="ts", time_unit="ms", key=("k", "id"), values=("v",), id=""),
    Schema(time="", key=(), values=("w",), id="k"),
]


class Token(str):
    """A number as it is written."""


def has_half_a_character(thing):
    try:
        json.dumps(thing, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def value_of(thing):
    if thing is None or thing == "NaN":
        return math.nan
    if not isinstance(thing, Token):
        raise ValueError(thing)
    x = float(thing)
    if not abs(x) <= 1e300:
        raise ValueError(thing)
    return x + 0.0


def text_of(thing):
    if isinstance(thing, Token):
        if not thing.removeprefix("-").isdigit():
            raise ValueError(thing)
        return "0" if thing == "-0" else str(thing)
    if thing is None or isinstance(thing, str):
        return thing
    raise ValueError(thing)


def whole(pairs):
    """An object's last values; refused where one that a later value replaces was no text."""
    if has_half_a_character([list(pair) for pair in pairs]):
        raise ValueError("half a character")
    return dict(pairs)


def json_row(line, schema):
    """The event of a line by the standard library, None when it is to be rejected."""
    try:
        found = json.loads(
            line.decode(), parse_int=Token, parse_float=Token, parse_constant=Token, object_pairs_hook=whole
        )
        if not isinstance(found, dict) or has_half_a_character(found):
            return None
        found = {k: None if isinstance(v, Token) and v == "NaN" else v for k, v in found.items()}
        values = [value_of(found.get(column)) for column in schema.values]
        key = [text_of(found.get(column)) for column in schema.key]
        if not all(key):
            return None
        time = -(2**63)
        if schema.time:
            cell = found.get(schema.time)
            if not isinstance(cell, str) or (isinstance(cell, Token) and schema.time_unit == "iso"):
                return None
            time = parse_time(cell, schema.time_unit, Zone(schema.tz))
        return values, time, joined(key) if key else "", text_of(found.get(schema.id)) if schema.id else None
    except ValueError:
        return None


def answer(rules, line):
    try:
        row = rules.read(line)
    except BadLine as bad:
        return None if bad.reason.isprintable() else "an unprintable reason"
    return row.values, row.time, row.key, row.id


def alike(a, b):
    return repr(a) == repr(b)


@settings(max_examples=300)
@given(broken(json_lines()))
def test_json_as_the_standard_library_reads_it(line):
    for schema in SCHEMAS:
        assert alike(answer(JsonRules(schema), line), json_row(line, schema))


@settings(max_examples=200)
@given(broken(csv_lines()))
def test_cells_as_the_standard_library_splits_them(line):
    text = line.decode(errors="replace").replace("\r", "").replace("\0", "")
    try:
        expected = next(csv.reader([text], strict=True)) if text else [""]
    except csv.Error:
        with pytest.raises(BadLine):
            cells_of(text, ",")
    else:
        assert cells_of(text, ",") == expected


ISO = Schema(time="ts", time_unit="iso", key=("host",), values=("v",), id="")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"ts":"2024-01-01","host":"a","v":1', "broken JSON: Input data was truncated"),
        (b"[1]", "not a JSON object, but array"),
        (b'{"ts":"2024-01-01","v":1}', "host: missing, and it belongs to the key"),
        (b'{"ts":"2024-01-01","host":null,"v":1}', "host: missing, and it belongs to the key"),
        (b'{"ts":"2024-01-01","host":1.5,"v":1}', "host: 1.5 is neither a text nor an integer"),
        (b'{"host":"a","v":1}', "ts: missing, and it is the time"),
        (b'{"ts":5,"host":"a","v":1}', "ts: 5 is no ISO-8601 time"),
        (b'{"ts":"2024-13-01","host":"a","v":1}', "ts: '2024-13-01' names a day that does not exist"),
        (b'{"ts":"2024-01-01","host":"a","v":true}', "v: true is not a number"),
        (b'{"ts":"2024-01-01","host":"a","v":"1"}', "v: the text '1' is not a number"),
        (b'{"ts":"2024-01-01","host":"a","v":{}}', "v: an object is not a number"),
        (b'{"ts":"2024-01-01","host":"a","v":Infinity}', "v: an infinite number is beyond 1e300 in size"),
        (b'{"ts":"2024-01-01","host":"a","v":-1e999}', "v: an infinite number is beyond 1e300 in size"),
        (
            b'{"ts":"2024-01-01","host":"a","v":' + b"9" * 400 + b"}",
            "v: an infinite number is beyond 1e300 in size",
        ),
        (b'{"ts":"2024-01-01","host":"a","v":2e300}', "v: '2e300' is beyond 1e300 in size"),
        (b'{"ts":"2024-01-01","host":"\xff","v":1}', "invalid UTF-8: byte 0xff at position 28"),
        (b'{"a":' + b"[" * 100_000, "broken JSON: nested too deeply"),
        (b'{"v":"' + b"x" * LONGEST + b'"}', f"a line of {LONGEST + 8:,} bytes, longer than {LONGEST:,}"),
    ],
)
def test_reasons(line, reason):
    with pytest.raises(BadLine) as caught:
        JsonRules(ISO).read(line)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2024-01-01,a", "2 cells, but the table has 3 columns"),
        (b'2024-01-01,"a,1', "a quote is not closed on its line"),
        (b'2024-01-01,"a"x,1', "text after a closing quote"),
        (b"2024-01-01,,1", "host: missing, and it belongs to the key"),
        (b",a,1", "ts: missing, and it is the time"),
        (b"2024-01-01,a,inf", "v: an infinite number is beyond 1e300 in size"),
        (b"2024-01-01,a,1_0", "v: '1_0' is not a number"),
        ("2024-01-01,a,\u0663".encode(), "v: '\u0663' is not a number"),
    ],
)
def test_reasons_in_csv(line, reason):
    with pytest.raises(BadLine) as caught:
        CsvRules(ISO, ["ts", "host", "v"]).read(line)
    assert caught.value.reason == reason


def test_what_counts_as_missing():
    for cell in ("", " ", "NaN", "nan", "NA", "N/A", "null", "None"):
        assert math.isnan(CsvRules(ISO, ["ts", "host", "v"]).read(f"2024-01-01,a,{cell}".encode()).values[0])
    for line in (b'{"ts":"2024-01-01","host":1}', b'{"ts":"2024-01-01","host":1,"v":NaN}'):
        row = JsonRules(ISO).read(line)
        assert math.isnan(row.values[0])
        assert row.key == "1"


def test_different_parts_give_different_keys():
    parts = ["a", "|", "\\", "a|", "\\|", ""]
    keys = {joined([a, b]) for a in parts for b in parts}
    assert len(keys) == len(parts) ** 2


def test_an_unknown_zone_is_refused():
    with pytest.raises(ParameterError, match="Europe/Berln"):
        Schema(tz="Europe/Berln")
