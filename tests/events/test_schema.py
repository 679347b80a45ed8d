"""Schemas: told, inferred, read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import InputError, ParameterError
from marigram.events import Schema, infer

MINUTES = [f"2024-05-01T00:{i:02d}:00Z" for i in range(40)]


def rows(n=40, **columns):
    return [{name: make(i) for name, make in columns.items()} for i in range(n)]


def inferred(sample, told=None):
    schema, reasons = infer(sample, told)
    assert schema.is_complete
    return (schema.time, schema.time_unit, schema.key, schema.values, schema.id), reasons


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"timestamp": MINUTES.__getitem__, "value": float}, ("timestamp", "iso", (), ("value",), "")),
        ({"t": lambda i: 1_700_000_000 + i, "cpu": float}, ("t", "s", (), ("cpu",), "")),
        ({"eventTime": lambda i: 1_700_000_000_000 + i, "v": float}, ("eventTime", "ms", (), ("v",), "")),
        ({"when_us": lambda i: 1_700_000_000_000_000 + i, "v": float}, ("when_us", "us", (), ("v",), "")),
        ({"bytes": lambda i: 1_700_000_000 - i, "v": float}, ("", None, (), ("v",), "")),
        (
            {"load": float, "boot_epoch": lambda i: 1_700_000_000_000_000_000},
            ("boot_epoch", "ns", (), ("load",), ""),
        ),
        ({"host": lambda i: f"h{i % 3}", "load": float}, ("", None, ("host",), ("load",), "")),
        (
            {"host": lambda i: f"h{i % 3}", "metric": lambda i: "cm"[i % 2], "value": float},
            ("", None, ("host", "metric"), ("value",), ""),
        ),
        ({"account_id": lambda i: i % 5, "amount": float}, ("", None, ("account_id",), ("amount",), "")),
        (
            {"place": lambda i: f"p{i % 4}", "t1": float, "t2": float},
            ("", None, ("place",), ("t1", "t2"), ""),
        ),
        ({"message": lambda i: f"text {i}", "x": float}, ("", None, (), ("x",), "")),
        (
            {"id": lambda i: f"e{i}", "device": lambda i: "d", "v": float},
            ("", None, ("device",), ("v",), "id"),
        ),
        ({"id": lambda i: i % 4, "v": float}, ("", None, ("id",), ("v",), "")),
        (
            {"": lambda i: i, "a": float, "b": lambda i: -i, "label": lambda i: 0},
            ("", None, (), ("a", "b"), ""),
        ),
        ({"ok": lambda i: True, "load": float}, ("", None, (), ("load",), "")),
    ],
)
def test_what_is_inferred(columns, expected):
    found, reasons = inferred(rows(**columns))
    assert found == expected
    assert all(reason.isprintable() and ":" in reason for reason in reasons)


def test_what_was_told_is_kept():
    sample = rows(a=float, b=lambda i: 1_700_000_000 + i, c=lambda i: "x")
    told = Schema(time="b", key=(), values=("a",))
    assert inferred(sample, told)[0] == ("b", "s", (), ("a",), "")
    assert inferred(sample, Schema(time="", key=("c",)))[0][:3] == ("", None, ("c",))
    assert inferred(sample, Schema(time="c"))[0][:2] == ("c", "iso")


def test_reasons_name_column_and_ground():
    _, reasons = inferred(rows(ts=MINUTES.__getitem__, host=lambda i: f"h{i % 3}", cpu=float, mem=float))
    assert reasons == [
        "time: column 'ts' parses as ISO-8601 in all of 40 rows",
        "key: column 'host' by its name; 3 different in 40 rows",
        "values: all 2 columns of numbers ('cpu', 'mem') as one event of 2 coordinates; name one to watch it alone",
    ]


@pytest.mark.parametrize(
    ("times", "bad", "unit"),
    [
        ([f"2024-05-01T00:{i:02d}:00Z" for i in range(60)], "yesterday", "iso"),
        ([1_714_521_600 + 60 * i for i in range(60)], "n/a", "s"),
        ([1_714_521_600_000 + 60 * i for i in range(60)], 7, "ms"),
    ],
)
def test_one_bad_cell_does_not_hide_what_a_column_is(times, bad, unit):
    rows = [{"time": t, "host": f"h{i % 3}", "load": i / 4} for i, t in enumerate(times)]
    rows[11]["time"] = bad
    rows[23]["load"] = "oops"
    schema, reasons = infer(rows)
    assert (schema.time, schema.time_unit, schema.key, schema.values) == ("time", unit, ("host",), ("load",))
    if unit == "iso":
        assert reasons[0] == "time: column 'time' parses as ISO-8601 in 59 of 60 rows"


def test_a_column_of_half_numbers_is_no_column_of_numbers():
    rows = [{"a": i if i % 2 else "x", "b": float(i)} for i in range(40)]
    assert infer(rows)[0].values == ("b",)


def test_what_is_no_column_of_numbers_says_why():
    rows = [{"host": "a", "load": x, "spare": None} for x in (1.5, "oops", 2.5, "?", 1.0)]
    with pytest.raises(InputError) as refused:
        infer(rows)
    assert "'load' (numbers in 3 of 5 rows; say --value load to watch them)" in str(refused.value)
    assert "'spare' (empty in all of 5 rows)" in str(refused.value)
    assert "'host'," in str(refused.value)


def test_nothing_to_watch():
    with pytest.raises(InputError, match="no column of numbers to watch among 'note'"):
        infer([{"note": "x"}])
    with pytest.raises(InputError, match="there is no row"):
        infer([])


@given(
    st.lists(
        st.dictionaries(st.text(max_size=4), st.none() | st.booleans() | st.integers() | st.text(max_size=5))
    )
)
def test_any_rows_give_a_schema_or_a_refusal(sample):
    try:
        schema, _ = infer(sample)
    except InputError:
        return
    assert schema.is_complete
    assert len(set(schema.columns)) == len(schema.columns)


NAMES = st.text(min_size=1, max_size=6)


@given(st.lists(NAMES, min_size=3, max_size=6, unique=True), st.sampled_from(["UTC", "Asia/Tokyo"]))
def test_toml_reads_back(tmp_path_factory, names, tz):
    schema = Schema(
        time="", key=(names[0],), values=tuple(names[1:]), id="", tz=tz, delimiter="\t", header=False
    )
    path = tmp_path_factory.mktemp("toml") / "schema.toml"
    path.write_text(schema.to_toml(), encoding="utf-8")
    assert Schema.from_toml(path) == schema
    assert Schema.from_mapping(schema.to_mapping()) == schema


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"vales": ["a"]}, "there is no setting 'vales' .did you mean 'values'"),
        ({"zzz": 1}, "there is no setting 'zzz'; there are time, "),
        ({"values": []}, "values must name at least one column"),
        ({"values": ["a"], "key": "a"}, "'a' is used for two things"),
        ({"key": [""]}, "empty name"),
        ({"time_unit": "minutes"}, "time_unit"),
        ({"tz": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
        ({"delimiter": '"'}, "cannot stand between cells"),
        ({"header": "yes"}, "header"),
    ],
)
def test_settings_that_are_refused(settings, reason):
    with pytest.raises(ParameterError, match=reason):
        Schema.from_mapping(settings)


def test_a_file_that_is_no_toml(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("values = [")
    with pytest.raises(ParameterError, match="not TOML"):
        Schema.from_toml(path)
    path.write_text("schema = 3")
    with pytest.raises(ParameterError, match="must be a table"):
        Schema.from_toml(path)
