"""Keys and their codes: small in Python, many in the compiled table, one numbering."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.events.keys import KeyNames, joined

TEXTS = st.one_of(st.text(max_size=20), st.sampled_from(["", "a", "ab", "abcdefgh", "abcdefghi", "a" * 100]))


def spans_of(texts):
    raw = [text.encode() for text in texts]
    ends = np.cumsum([0, *map(len, raw)])
    return np.frombuffer(b"".join(raw) or b"\0", np.uint8), np.column_stack((ends[:-1], ends[1:]))


@settings(max_examples=150)
@given(st.lists(st.tuples(st.booleans(), st.lists(TEXTS, max_size=30)), max_size=6))
def test_one_numbering_by_first_appearance(rounds):
    names = KeyNames()
    seen = {}
    for compiled, texts in rounds:
        codes = names.codes_in(*spans_of(texts)) if compiled else names.codes_of(texts)
        assert codes.tolist() == [seen.setdefault(text, len(seen)) for text in texts]
        assert names.take(codes).tolist() == texts
    assert list(names) == names[:] == list(seen)
    assert len(names) == len(seen)
    assert all(names[-1 - i] == text for i, text in enumerate(reversed(seen)))


def test_many_keys():
    names = KeyNames()
    texts = [f"key-{i * 7919 % 50_021}" for i in range(60_000)]
    seen = {}
    expected = [seen.setdefault(text, len(seen)) for text in texts]
    assert names.codes_in(*spans_of(texts)).tolist() == expected
    assert names.codes_of(texts[:100]).tolist() == expected[:100]
    assert names.nbytes < 100 * len(names)


def test_absent_keys():
    text, spans = spans_of(["a", "b", "a"])
    spans[1] = -1
    names = KeyNames()
    assert names.codes_in(text, spans).tolist() == [0, -1, 0]
    assert list(names) == ["a"]


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text("ab|\\", max_size=5), st.text("ab|\\", max_size=5)), max_size=20))
def test_keys_of_parts(pairs):
    text, spans = spans_of([part for pair in pairs for part in pair])
    names = KeyNames()
    codes = names.codes_of_parts(text, spans.reshape(len(pairs), 2, 2))
    assert names.take(codes).tolist() == [joined(pair) for pair in pairs]
