"""Pictures of verdicts: nothing that matters is left out, nothing foreign gets in, no table is too odd to draw."""

import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from marigram.errors import MarigramError, ParameterError
from marigram.kinds import Kind
from marigram.pictures import Picture, draw
from marigram.verdicts import Verdicts

SVG = "{http://www.w3.org/2000/svg}"
MINUTE = 60_000_000_000
START = 1_709_251_200_000_000_000


def series(n=2000, key="web-7", seed=0, shift=1000, times=True):
    """A level that shifts once, some spikes, two minutes of silence, and the verdicts a detector might give."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(n) < shift, 50.0, 60.0)
    value = level + rng.normal(size=n)
    kind = np.zeros(n, np.uint8)
    kind[:64] = Kind.LEARNING
    spikes = np.flatnonzero(rng.random(n) < 0.01)
    value[spikes] += 12.0
    kind[spikes] = Kind.ANOMALY
    kind[shift : shift + 4] = (Kind.ANOMALY, Kind.UNDECIDED, Kind.UNDECIDED, Kind.DRIFT)
    value[1500:1502] = np.nan
    kind[1500:1502] = Kind.MISSING
    return Verdicts(
        value=value,
        kind=kind,
        key=np.full(n, key, object),
        time=START + np.arange(n) * MINUTE if times else None,
        p_value=np.where(kind == Kind.ANOMALY, 1e-5, 0.3),
        expected=level,
        lower=level - 4.0,
        upper=level + 4.0,
        severity=rng.exponential(1.0, n),
        notice=kind == Kind.DRIFT,
        drift_rows=[shift + 3],
        changed_at=[shift],
        before=[50.0],
        after=[60.0],
        resolves=[shift],
    )


def parsed(table, **more):
    return ET.fromstring(Picture(table, **more).svg)  # noqa: S314 - our own


def tips(root):
    return [title.text for title in root.iter(f"{SVG}title")]


def told(root, kind):
    """How many events of a kind the marks of a picture stand for."""
    count = 0
    for tip in tips(root):
        if f"\n{kind} " in tip and not tip.startswith("notice"):
            more = re.search(r"\+ ([\d,]+) more", tip)
            count += 1 + (int(more[1].replace(",", "")) if more else 0)
    return count


@pytest.mark.parametrize("n", [2000, 60_000])
def test_every_anomaly_is_in_the_picture_however_long_the_series(n):
    table = series(n)
    root = parsed(table)
    assert told(root, "anomaly") == np.count_nonzero(table["kind"] == Kind.ANOMALY)
    assert told(root, "undecided") == 2
    assert len(Picture(table).svg) < 2_000_000


def test_a_drift_shows_its_levels_and_what_it_withdrew():
    root = parsed(series())
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "50" in texts
    assert "60" in texts
    assert "level 50 -> 60 since #1000" in "".join(tips(root))
    assert sum("withdrawn by a later drift" in tip for tip in tips(root)) == 3
    assert {"withdrawn", "drift, level before and after", "notice", "learning", "no value"} <= set(texts)


def test_the_legend_names_only_what_is_there():
    texts = [text.text for text in parsed(Verdicts(value=[1.0, 2.0], kind=[0, 0])).iter(f"{SVG}text")]
    assert "value" in texts
    assert not {"anomaly", "undecided", "notice", "learning", "no value"} & set(texts)


def test_a_spike_of_1e12_flattens_nothing_and_is_marked():
    table = series()
    value = table["value"].copy()
    value[700] = 1e12
    kind = table["kind"].copy()
    kind[700] = Kind.ANOMALY
    root = parsed(Verdicts(value=value, kind=kind, lower=table["lower"], upper=table["upper"]))
    labels = [text.text for text in root.iter(f"{SVG}text")]
    assert {"50", "60"} <= set(labels)
    assert any("anomaly 1e+12" in tip for tip in tips(root))


def test_equal_tables_give_equal_pictures():
    assert Picture(series()).svg == Picture(series()).svg
    assert Picture(series()).html == Picture(series()).html


@pytest.mark.parametrize(
    "table",
    [
        Verdicts(value=[], kind=[]),
        Verdicts(value=[5.0], kind=[4], time=[START]),
        Verdicts(value=[np.nan] * 50, kind=[5] * 50),
        Verdicts(value=[5.0] * 50, kind=[4] * 50),
        Verdicts(value=[5.0] * 50 + [1e12], kind=[0] * 50 + [1], lower=[5.0] * 51, upper=[5.0] * 51),
        Verdicts(value=[0.0] * 50, kind=[0] * 50),
        Verdicts(value=[1.6e308, -1.6e308, 1.0, np.inf], kind=[1, 1, 0, 6]),
        Verdicts(value=[5e-324, 0.0, -5e-324], kind=[0, 1, 2]),
        Verdicts(value=[1e9 + 1e-3, 1e9], kind=[0, 1], lower=[-np.inf, 1e9], upper=[np.inf, 1e9]),
        Verdicts(value=[1.0, np.nan] * 40, kind=[0, 5] * 40),
        Verdicts(value=[1.0, 2.0, 3.0], kind=[0, 1, 2], time=[START, START, START]),
        Verdicts(value=[1.0, 2.0, 3.0], kind=[0, 1, 2], time=[START, -(2**63), START], seq=[7, 7, 7]),
        Verdicts(value=[1.0, 2.0], kind=[2, 2], time=[-(2**63) + 1, 2**63 - 1], notice=[True, True]),
        Verdicts(value=[1.0, 2.0], kind=[2, 2], drift_rows=[1], before=[np.nan], after=[1e300], resolves=[9]),
        Verdicts(value=np.full((3, 2), np.nan), kind=[5, 5, 5]),
    ],
    ids=repr,
)  # fmt: skip
def test_no_table_is_too_odd(table):
    picture = Picture(table)
    assert "nan" not in re.sub(r">[^<]*<", "><", picture.svg)
    assert "inf" not in re.sub(r">[^<]*<", "><", picture.svg)
    ET.fromstring(picture.svg)  # noqa: S314 - our own
    assert "</html>" in picture.html


def test_several_keys_are_several_panels_the_most_notable_ones():
    parts = [series(300, key=f"host-{i}", seed=i, shift=100 if i in (3, 8) else 290) for i in range(9)]
    table = Verdicts.concat([part[:200] for part in parts])
    root = parsed(table)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert sum(text.startswith("host-") for text in texts) == 6
    assert {"host-3", "host-8"} <= set(texts)
    assert any("the 6 most notable of 9 series" in text for text in texts)


def test_vectors_are_panels_of_the_coordinates_that_matter():
    rng = np.random.default_rng(0)
    why = np.full((100, 10), 0.05)
    why[:, 7] = 0.55
    table = Verdicts(value=rng.normal(size=(100, 10)), kind=rng.integers(0, 2, 100), why=why, key=["m"] * 100)
    texts = [text.text for text in parsed(table, names=[f"column {i}" for i in range(10)]).iter(f"{SVG}text")]
    assert "m · column 7" in texts
    assert sum(str(text).startswith("m · ") for text in texts) == 6


def test_an_event_of_one_coordinate_is_only_hinted_at_in_the_others():
    value = np.zeros((100, 2))
    value[50] = (3.0, 0.5)
    kind = np.zeros(100, np.uint8)
    kind[50] = Kind.ANOMALY
    why = np.full((100, 2), (0.95, 0.05))
    root = parsed(Verdicts(value=value, kind=kind, why=why, lower=value * 0 - 1, upper=value * 0 + 1))
    dots = [dot for dot in root.iter(f"{SVG}circle") if dot.find(f"{SVG}title") is not None]
    assert [dot.get("opacity") for dot in dots] == [None, "0.4"]
    assert float(dots[0].get("r")) > float(dots[1].get("r"))
    assert told(root, "anomaly") == 2


HOSTILE = '<script>alert(1)</script>"\' onload="x" & \x00\x1b[2J\n]]> https://example.invalid/'


class Page(HTMLParser):
    """Collects what a browser would run or fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]


def test_a_hostile_key_stays_text_everywhere():
    table = series(key=HOSTILE)
    for text in (Picture(table).html, Picture(table, title=HOSTILE)._repr_html_(), table._repr_html_()):
        page = Page(text)
        assert page.tags.count("script") == (1 if text.startswith("<!doctype") else 0)
        assert not [name for _, name, _ in page.attributes if name.startswith("on")]
        assert "\x1b" not in text
        assert "\x00" not in text
    assert parsed(table, title=HOSTILE) is not None


def test_a_page_asks_nobody_for_anything():
    page = Page(Picture(series()).html)
    assert not {"link", "img", "iframe", "object", "use", "image"} & set(page.tags)
    assert not [a for a in page.attributes if a[1] in ("src", "href", "xlink:href")]
    policy = next(value for tag, name, value in page.attributes if tag == "meta" and name == "content")
    assert policy.startswith("default-src 'none'")


def test_a_page_lists_the_notices():
    html = Picture(series()).html
    assert "1 notice" in html
    assert '<td class="drift">drift</td>' in html
    assert "50 → 60 since #1000" in html
    assert "No notices" in Picture(Verdicts(value=[1.0], kind=[0])).html


def test_the_suffix_decides(tmp_path):
    for name, start in (("a.svg", b"<svg"), ("a.HTML", b"<!doctype html>"), ("a.png", b"\x89PNG")):
        draw(series(300, shift=100)[:200], tmp_path / name, title="A title")
        assert (tmp_path / name).read_bytes().startswith(start)
    picture = series().plot(tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_text() == picture.svg == picture._repr_svg_()
    with pytest.raises(ParameterError, match=r"\.html, \.svg, \.png, not as '\.jpg'"):
        draw(series(), tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


def test_png_without_matplotlib_names_the_extra(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"] or ["matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    with pytest.raises(MarigramError, match=re.escape("pip install 'marigram[plot]'")):
        draw(series(), tmp_path / "a.png")


def test_drawing_changes_nothing_in_the_table():
    table = series()[980:1020]
    before = table.json_lines()
    assert "</html>" in Picture(table).html
    assert table.json_lines() == before


def test_a_notebook_shows_both_ends_of_a_table():
    html = series()._repr_html_()
    assert html.count("<tr>") == 1 + 10 + 1
    assert "1,990 more rows" in html
    assert "2,000 verdicts" in html
    assert Verdicts(value=np.ones((2, 9)), kind=[0, 1])._repr_html_().count("[1, 1, 1, 1, …]") == 2
