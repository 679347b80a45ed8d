"""Numbers, times and odds in the words that a person reads first.

A line on a terminal, a tooltip in a picture and the table of a notebook say the same thing the same way, so the
wording lives here and nowhere else.  Everything is plain text; colours and HTML belong to whoever prints it.
"""

import math
from datetime import UTC, datetime
from unicodedata import combining, east_asian_width

__all__ = ["cells", "clipped", "moment", "number", "odds", "padded", "printable", "share", "span"]

_SECOND = 1_000_000_000


def number(x: float, digits: int = 4) -> str:
    """Return ``x`` in ``digits`` significant digits, without an exponent while that stays short.

    Examples
    --------
    >>> number(12.3456), number(0.000012), number(1e12), number(-250000.0), number(math.nan)
    ('12.35', '1.2e-05', '1e+12', '-250,000', 'none')
    """
    if math.isnan(x):
        return "none"
    if math.isinf(x):
        return "infinity" if x > 0 else "-infinity"
    if 1e4 <= abs(x) < 1e9:
        return f"{x:,.0f}"
    return f"{x:.{digits}g}"


def odds(p: float) -> str:
    """Return a probability as odds that can be said aloud, ``1 in N`` with N rounded to one or two digits.

    Examples
    --------
    >>> odds(2.5e-5), odds(0.3), odds(1.0), odds(0.0), odds(1e-9), odds(3e-20)
    ('1 in 40,000', '1 in 3', '1 in 1', '1 in 1e300', '1 in a billion', '1 in 3e19')
    """
    if math.isnan(p):
        return "unknown odds"
    if p < 1e-300:
        return "1 in 1e300"
    inverse = 1.0 / p
    power = 10 ** math.floor(math.log10(inverse))
    rounded = round(inverse / power, 1 if inverse >= 10 and inverse / power < 2 else 0) * power
    if rounded >= 1e15:
        return f"1 in {rounded:.0e}".replace("e+", "e")
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if rounded >= size:
            count = rounded / size
            return f"1 in {'a' if count == 1 else format(count, '.3g')} {word}"
    return f"1 in {rounded:,.0f}"


def span(lower: float, upper: float) -> str:
    """Return a band as ``lower to upper``.

    Examples
    --------
    >>> span(40.25, 61.7)
    '40.25 to 61.7'
    """
    return f"{number(lower)} to {number(upper)}"


def share(x: float) -> str:
    """Return a share in [0, 1] as a whole percentage.

    Examples
    --------
    >>> share(0.716)
    '72 %'
    """
    return f"{100 * x:.0f} %"


def moment(ns: int) -> str:
    """Return nanoseconds since 1970 (UTC) as ISO-8601 with as many decimals as it needs: none, 3, 6 or 9.

    Examples
    --------
    >>> moment(1_700_000_000_000_000_000), moment(1_500_000)
    ('2023-11-14T22:13:20Z', '1970-01-01T00:00:00.001500Z')
    """
    seconds, rest = divmod(ns, _SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest:09d}"
    while fraction.endswith("000"):
        fraction = fraction[:-3]
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def printable(text: str) -> str:
    r"""Return ``text`` with every character that a terminal would obey, not show, spelled as an escape.

    Examples
    --------
    >>> printable("web-7"), printable("a\x1b[2Jb\n")
    ('web-7', 'a\\x1b[2Jb\\n')
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cells(text: str) -> int:
    r"""Return how many columns of a terminal ``text`` takes: wide characters two, combining ones none.

    Examples
    --------
    >>> cells("abc"), cells("日本"), cells("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(char) in "WF" else 0 if combining(char) else 1 for char in text)


def clipped(text: str, width: int) -> str:
    """Return ``text`` cut to at most ``width`` columns, the cut marked by two dots.

    Examples
    --------
    >>> clipped("measurement", 8), clipped("short", 8), clipped("日本語", 4)
    ('measur..', 'short', '日..')
    """
    if cells(text) <= width:
        return text
    room = max(width - 2, 0)
    while cells(text) > room:
        text = text[:-1]
    return text + ".."[:width]


def padded(text: str, width: int) -> str:
    """Return ``text`` filled with spaces to at least ``width`` columns.

    Examples
    --------
    >>> padded("日本", 6) + "|"
    '日本  |'
    """
    return text + " " * (width - cells(text))
