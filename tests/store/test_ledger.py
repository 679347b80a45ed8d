"""The books on a thread of their own: an answer is never ahead of what can be asked."""

from pathlib import Path

import pytest
from tests.store.streams import batches

from marigram import ParameterError
from marigram.store.checkpoint import Checkpoint
from marigram.store.ledger import Ledger


def test_the_state_of_another_command_is_refused(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()
    (tmp_path / "watched" / "state-3.mg").touch()
    with pytest.raises(ParameterError, match="holds the state of `marigram watch`"):
        Ledger(tmp_path / "watched")
    Ledger(tmp_path / "served").close()
    with pytest.raises(ParameterError, match="holds the state of `marigram serve`"):
        Checkpoint(tmp_path / "served", {})


def test_what_is_answered_is_counted_already(tmp_path: Path) -> None:
    """Asked from the thread that answers, so that no time passes between the two."""
    seen: list[int] = []
    with Ledger(tmp_path, silence=False) as ledger:
        for i, batch in enumerate(batches(20)):
            future = ledger.submit(batch, "test", f"b{i}")
            future.add_done_callback(lambda _: seen.append(ledger.counts.accepted))
            future.result(30)
        assert ledger.counts.accepted == 800
    assert seen == [40 * (i + 1) for i in range(20)]
