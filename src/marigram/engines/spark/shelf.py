"""The records of one bucket: read from a copy nearby or from the state, and written so that a batch writes little.

The state has pages of records. A batch that touches many keys of a page rewrites it; of a page that it touches here and
there, it writes only the touched records, all of the bucket in one entry: a patch. Patches are numbered, a page says
before which patch it was written, and whoever reads a page puts the later patches over it. When the patches of a bucket
hold so many records, the pages they belong to are rewritten and the patches dropped; that number differs from bucket to
bucket, so that not all have it in the same batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.engines.spark.copies import Copy, copy_of
from marigram.engines.spark.design import Design
from marigram.engines.spark.pages import Patches, pack_patch, pack_records, unpack_records
from marigram.engines.spark.roster import Roster
from marigram.errors import ParameterError
from marigram.fleet.records import Words

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

DENSE = 4
"""A page of which a batch touches at least one key in so many is rewritten."""
LEAST, SPREAD = 0.25, 0.5
"""Records in the patches of a bucket, for each of its keys, before they are put into their pages: 0.25 to 0.75."""


class Store(Protocol):
    """What is kept of a bucket's records from batch to batch."""

    def names(self) -> Iterable[tuple[int, bytes]]:
        """Return all pages of names."""

    def keep_names(self, page: int, names: bytes) -> None:
        """Replace a page of names."""

    def page(self, page: int) -> bytes | None:
        """Return one page of records."""

    def keep_page(self, page: int, records: bytes) -> None:
        """Replace a page of records."""

    def patches(self) -> Iterable[tuple[int, bytes]]:
        """Return all patches."""

    def keep_patch(self, number: int, records: bytes) -> None:
        """Add a patch."""

    def drop_patches(self) -> None:
        """Remove all patches."""

    def version(self) -> bytes | None:
        """Return what :meth:`keep_version` was told, None at the beginning."""

    def keep_version(self, content: bytes) -> None:
        """Replace it."""


class Version(msgspec.Struct, frozen=True):
    """Where a bucket's state stands.

    Parameters
    ----------
    bucket
        Random, the same for the life of the state.
    word
        Random, another one after every change.
    patch
        Number of the next patch.
    records
        In the patches that are there.
    patched
        A byte for each page: whether patches hold something newer than the page.
    """

    bucket: bytes
    word: bytes
    patch: int = 0
    records: int = 0
    patched: bytes = b""

    def most(self, keys: int) -> float:
        """Return how many records the patches of so many keys may have."""
        return keys * (LEAST + SPREAD * self.bucket[0] / 255)


class Shelf:
    """The records of a bucket in one batch.

    Parameters
    ----------
    design, store
        Of the query; of the bucket.
    version
        As the store has it.
    copy
        Nearby; perhaps empty.
    whole
        Every touched page is rewritten, and nothing is kept beside.
    """

    def __init__(self, design: Design, store: Store, version: Version, copy: Copy, *, whole: bool) -> None:
        self._store, self._version, self._copy, self._whole = store, version, copy, whole
        self._size, self._form = design.page, design.form()
        self._hot = copy.taken_up(version.word)
        self._names = dict(copy.names() if self._hot else store.names())
        self.roster = Roster(design.keys, design.page, self._names.items())
        self._known = len(self.roster)
        self._patches: Patches | None = None
        self._rest: dict[int, Words] = {}

    def take(self, keys: Ints) -> Iterator[tuple[Ints, Words]]:
        """Yield the records of keys, ascending numbers of the roster without repetition: places in ``keys``, words."""
        self._keys, self._pages = keys, np.unique(keys // self._size)
        self._starts = np.append(np.searchsorted(keys, self._pages * self._size), len(keys))
        self._sizes, counts = self.roster.counts(self._pages), np.diff(self._starts)
        self._dense = counts * DENSE >= self._sizes
        self._copy.extend(self.roster.last + 1)
        self._nearby = ~self._dense & self._copy.lasts
        for at in np.flatnonzero(~self._nearby).tolist():
            words = self._records(int(self._pages[at]))
            if counts[at] < self._sizes[at]:
                self._rest[int(self._pages[at])] = words
            places = np.arange(self._starts[at], self._starts[at + 1])
            yield places, words if counts[at] == len(words) else words[self._inside(at)]
        for page in self._pages[self._nearby & ~self._copy.loaded[self._pages]].tolist():
            self._load(page)
        places = np.flatnonzero(np.repeat(self._nearby, counts))
        yield places, self._copy.words[keys[places]]

    def keep(self, words_of: Callable[[Ints], Words]) -> None:
        """Write the records of the keys that were taken, places in ``keys`` -> words, and the names of new ones."""
        new = (self.roster.ends(self._pages) > self._known) | self._whole
        rewritten = new | self._dense
        loose = np.flatnonzero(np.repeat(~rewritten, np.diff(self._starts)))
        patched = self._patched()
        records = self._version.records + len(loose)
        if records > self._version.most(len(self.roster)):
            rewritten[:] = True
            self._rewrite_untouched(np.setdiff1d(np.flatnonzero(patched), self._pages))
            self._store.drop_patches()
            records, patched[:] = 0, False
        elif len(loose):
            self._store.keep_patch(self._version.patch, pack_patch(self._keys[loose], words_of(loose)))
        patched[self._pages] = ~rewritten
        near = np.flatnonzero(np.repeat(self._nearby, np.diff(self._starts)))
        self._copy.words[self._keys[near]] = words_of(near)
        for at in np.flatnonzero(rewritten).tolist():
            words = self._whole_page(at, words_of)
            self._store.keep_page(int(self._pages[at]), pack_records(words, self._version.patch + 1))
        for page in self._pages[new].tolist():
            self._names[page] = self.roster.page(page)
            self._store.keep_names(page, self._names[page])
        if not self._whole:
            self._settle(records, patched)

    def _whole_page(self, at: int, words_of: Callable[[Ints], Words]) -> Words:
        """Return a touched page's records as they are now; the copy has been seen to."""
        page = int(self._pages[at])
        if self._nearby[at]:
            return self._copy.words[page * self._size : page * self._size + int(self._sizes[at])]
        words = words_of(np.arange(self._starts[at], self._starts[at + 1]))
        if page not in self._rest:
            return words
        rows = np.array(self._rest[page])
        rows[self._inside(at)] = words
        return rows

    def _inside(self, at: int) -> Ints:
        """Where in its page each of the touched keys lies."""
        keys: Ints = self._keys[self._starts[at] : self._starts[at + 1]]
        return keys - int(self._pages[at]) * self._size

    def _records(self, page: int) -> Words:
        """Return a page's records, zeros behind those that the state has: from the copy, or the state."""
        count = int(self.roster.counts(np.array([page]))[0])
        if page < len(self._copy.loaded) and self._copy.loaded[page]:
            return self._copy.words[page * self._size : page * self._size + count]
        found = self._store.page(page)
        words, since = (np.zeros((0, self._form.itemsize // 8), np.uint64), 0)
        if found is not None:
            words, since = unpack_records(found, self._form)
        if len(words) < count:
            words = np.concatenate([words, np.zeros((count - len(words), words.shape[1]), np.uint64)])
        if self._patched()[page]:
            if self._patches is None:
                self._patches = Patches(self._store.patches(), self._form)
            words = self._patches.over(words, page * self._size, since)
        return words

    def _load(self, page: int) -> None:
        """Bring a page into the copy."""
        rows = self._copy.words[page * self._size : (page + 1) * self._size]
        words = self._records(page)
        rows[: len(words)], rows[len(words) :] = words, 0
        self._copy.loaded[page] = True

    def _rewrite_untouched(self, pages: Ints) -> None:
        """Write pages into the state that this batch has not touched."""
        for page in pages.tolist():
            self._store.keep_page(page, pack_records(self._records(page), self._version.patch + 1))

    def _patched(self) -> Flags:
        """Whether patches hold something newer than each page of the roster."""
        before = np.frombuffer(self._version.patched, np.bool_)
        return np.concatenate([before, np.zeros(self.roster.last + 1 - len(before), np.bool_)])

    def _settle(self, records: int, patched: Flags) -> None:
        """Say where the state stands now, and that the copy is of it."""
        old = self._version
        version = Version(old.bucket, os.urandom(16), old.patch + 1, records, patched.tobytes())
        self._store.keep_version(msgspec.msgpack.encode(version))
        if self._copy.lasts:
            self._copy.loaded[self._pages[~self._nearby]] = False
            if not self._hot or len(self.roster) > self._known:
                self._copy.keep_names(list(self._names.items()))
            self._copy.finish(version.word)


@contextmanager
def shelf_of(design: Design, store: Store, root: Path | None, *, whole: bool = False) -> Iterator[Shelf]:
    """Have the records of a bucket in hand.

    Parameters
    ----------
    design, store
        Of the query; of the bucket.
    root
        Where copies lie on this machine; None: nowhere.
    whole
        Rewrite every touched page and its names, and keep nothing beside: so that all of a page grows old together.

    Raises
    ------
    ParameterError
        ``whole`` is asked of a state that was begun without it.
    """
    found = store.version()
    if found is not None and whole:
        raise ParameterError(
            "the checkpoint was begun without a time to live: give it a checkpoint of its own"
        )
    fresh = Version(os.urandom(8), os.urandom(16))
    version = fresh if found is None else msgspec.msgpack.decode(found, type=Version)
    width = design.form().itemsize // 8
    with copy_of(None if whole else root, version.bucket, width, design.page) as copy:
        yield Shelf(design, store, version, copy, whole=whole)


__all__ = ["DENSE", "Shelf", "Store", "Version", "shelf_of"]
