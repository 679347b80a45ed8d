"""One container for everything marigram saves: named arrays and a JSON header under one checksum.

A snapshot must outlive the process that wrote it, so it holds nothing that can run (no pickle), says what it
is, and cannot be half right: any flipped bit, cut tail or foreign file is refused with a sentence that a person
can act on. The layout, all integers little-endian:

====================  =====================================================================
8 bytes               magic; a text-mode copy or a cut head does not survive it
u32 version           of this layout; a newer one is refused, not guessed
u32 length            of the header
header                JSON: kind, package version, byte order, meta, and each array's dtype and shape
arrays                raw, in the header's order, each starting at a multiple of 64 bytes
32 bytes              SHA-256 over everything before
====================  =====================================================================

The bytes depend on the content alone (no clock, no padding garbage): the same state gives the same file.
"""

from marigram.snapshots.container import Pieces, load, load_mapped, pack, save, unpack
from marigram.snapshots.dtypes import decode_dtype, encode_dtype
from marigram.snapshots.files import replace_file, sync_folder

__all__ = [
    "Pieces",
    "decode_dtype",
    "encode_dtype",
    "load",
    "load_mapped",
    "pack",
    "replace_file",
    "save",
    "sync_folder",
    "unpack",
]
