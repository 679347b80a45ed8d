"""Lines as machines write them, as people mistype them, and as noise."""

import json

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**25), 10**25).map(str),
    st.integers(-99, 99).map(str),
    st.tuples(st.integers(-(10**19), 10**19), st.integers(-340, 310)).map(lambda p: f"{p[0]}e{p[1]}"),
    st.decimals(allow_nan=False, allow_infinity=False, places=4).map(str),
    st.sampled_from(
        [
            "-0",
            "0",
            "-0.0",
            "1e999",
            "-1e999",
            "1e300",
            "1.0000001e300",
            "1" + "0" * 400,
            "0." + "0" * 30 + "7",
            "9007199254740993",
            "9007199254740992.5",
            "2.2250738585072014e-308",
            "5e-324",
            "1e-400",
            "1E+5",
            "1e05",
            "NaN",
            "Infinity",
            "-Infinity",
            "-NaN",
            "nan",
            "inf",
            "01",
            "1.",
            ".5",
            "+1",
            "1e",
            "--1",
            "0x10",
            "1_0",
            *["true", "false", "null", '"1.5"', '""', "{}", "[1]", "{", "", " 7 ", "7\t"],
        ]
    ),
)
TIMES = st.one_of(
    st.datetimes().map(lambda t: json.dumps(t.isoformat())),
    st.datetimes().map(lambda t: json.dumps(t.isoformat(sep=" ", timespec="seconds") + "Z")),
    st.datetimes().map(lambda t: json.dumps(t.isoformat(timespec="minutes") + "+05:30")),
    st.integers(-(10**19), 10**19).map(str),
    st.integers(0, 2 * 10**9).map(lambda t: f"{t}.{t % 997:03d}"),
    st.sampled_from(
        [
            '"2024-02-29"',
            '"2023-02-29"',
            '"2024-02-30T00:00Z"',
            '"2024-01-01T24:00Z"',
            '"2024-01-01T23:59:60Z"',
            '"2024-01-01T00:00:00.123456789123Z"',
            '"2024-01-01T00:00:00,5+0200"',
            '"2024-01-01T00Z"',
            '"1677-09-21"',
            '"1677-09-21T00:12:43.145224193Z"',
            '"1677-09-21T00:12:43Z"',
            '"2262-04-11T23:47:16.854775807Z"',
            '"2262-04-12"',
            '"2024-01-01t00:00z"',
            '"2024-1-1"',
            '"1700000000"',
            '"007"',
            "007",
            "1.7e9",
            '"now"',
            '""',
            "null",
            "true",
            '"2024-01-01T00:00:00.Z"',
            '"2024-01-01T00:00:61Z"',
            '"2024-01-01T00:00:00-24:00"',
            '"2024-10-27T02:30"',
            '"2024-03-31T02:30"',
            '"2024-01-01 00:00:00 UTC"',
            "1700000000.",
            "-0",
            "-0.5",
            "9300000000",
            "1e400",
        ]
    ),
)
KEYS = st.one_of(
    st.sampled_from(
        ['"a"', '"b"', '"web-1"', '"ключ"', '"a|b"', '"a\\\\b"', '"a\\u0062"', '"\\n"', '""', '"\\ud800"']
    ),
    st.text(max_size=12).map(json.dumps),
    st.text(max_size=12).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers(-(10**20), 10**20).map(str),
    st.sampled_from(["-0", "17", "17.0", "1e3", "null", "true", "{}", "[]", "x"]),
)
OTHERS = st.one_of(
    st.sampled_from(
        [
            "1",
            '"x"',
            "null",
            "true",
            "false",
            "nul",
            "tru",
            "[1,2]",
            '{"v":1}',
            "1e999",
            '"\\q"',
            '"\\t"',
            "-",
            "1.e5",
        ]
    ),
    st.text(max_size=6).map(json.dumps),
)
SPACE = st.sampled_from(["", "", "", " ", "\t", "  "])


@st.composite
def json_lines(draw):
    """One line that may be an object with the fields ts, k, v, w, id, and others."""
    names = draw(
        st.lists(
            st.sampled_from(["ts", "k", "v", "w", "id", "other", "tsx", "very_long_name_here"]), max_size=7
        )
    )
    if draw(st.booleans()):
        names = ["ts", "k", "v", "w", *names[:2]]
    source = {"ts": TIMES, "k": KEYS, "v": NUMBERS, "w": NUMBERS, "id": KEYS}
    space = draw(SPACE)
    fields = [f'"{name}"{space}:{space}{draw(source.get(name, OTHERS))}' for name in names]
    return space + "{" + space + f"{space},{space}".join(fields) + space + "}" + draw(SPACE)


@st.composite
def csv_lines(draw):
    """One line that may be cells of the columns ts, k, v, w, id."""
    cells = [draw(TIMES), draw(KEYS), draw(NUMBERS), draw(NUMBERS), draw(KEYS)]
    bare = [cell if draw(st.integers(0, 3)) == 0 else cell.strip('"') for cell in cells]
    count = draw(st.sampled_from([5, 5, 5, 5, 5, 4, 6]))
    space = draw(SPACE)
    return ("," + space).join([*bare, "x"][:count]) + draw(st.sampled_from(["", "", "\r", " "]))


def broken(lines):
    """Bytes of lines, some of them with a byte changed, put in or taken out; never a newline among them."""

    def change(parts):
        text, at, byte, how = parts
        raw = text.encode("utf-8", "surrogatepass").replace(b"\n", b" ")
        if how == "keep" or not raw:
            return raw
        at %= len(raw)
        tail = raw[at + (how == "change") :] if how != "drop" else raw[at + 1 :]
        return raw[:at] + (b"" if how == "drop" else bytes([byte])) + tail

    bytes_but_newline = st.integers(0, 255).filter(lambda byte: byte != 10)
    how = st.sampled_from(["keep", "keep", "keep", "change", "insert", "drop"])
    return st.tuples(lines, st.integers(0, 10**6), bytes_but_newline, how).map(change)
