"""What is measured: the forms in which a stream comes, and their sizes."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["FORMS", "Form"]

Shape = Literal["arrays", "one at a time", "json lines", "json lines iso", "parquet"]


@dataclass(frozen=True, slots=True)
class Form:
    """A stream of `events` events over `keys` keys with `d` coordinates; `quick_*` for a short run."""

    about: str
    shape: Shape
    events: int
    quick_events: int
    keys: int = 1
    quick_keys: int = 1
    d: int = 1
    times: bool = False

    def sizes(self, quick: bool) -> tuple[int, int]:
        """Number of events and of keys."""
        return (self.quick_events, self.quick_keys) if quick else (self.events, self.keys)


_TEN, _MILLION = (10_000, 1_000), (1_000_000, 50_000)
_FILE = (5_000_000, 500_000)

FORMS: dict[str, Form] = {
    "one_key": Form("arrays", "arrays", 4_000_000, 100_000),
    "one_key_times": Form("arrays, times given", "arrays", 4_000_000, 100_000, times=True),
    "one_at_a_time": Form("a call an event, times given", "one at a time", 200_000, 5_000, times=True),
    "keys_10k": Form("many keys", "arrays", 4_000_000, 100_000, *_TEN),
    "keys_10k_times": Form("many keys, times given", "arrays", 4_000_000, 100_000, *_TEN, times=True),
    "keys_1m": Form("very many keys", "arrays", 8_000_000, 200_000, *_MILLION),
    "keys_1m_times": Form("very many keys, times given", "arrays", 8_000_000, 200_000, *_MILLION, times=True),
    "d32": Form("vectors", "arrays", 200_000, 5_000, d=32),
    "json_lines": Form("JSON lines to verdicts, epoch ms", "json lines", *_FILE, *_TEN, times=True),
    "json_lines_iso": Form("JSON lines to verdicts, ISO-8601", "json lines iso", *_FILE, *_TEN, times=True),
    "parquet": Form("Parquet to verdicts", "parquet", *_FILE, *_TEN, times=True),
}
