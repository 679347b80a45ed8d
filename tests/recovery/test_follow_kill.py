"""`watch --preset --follow --state` killed with SIGKILL while logs grow and come: each event is judged once."""

from __future__ import annotations

import gzip
import json
import os
import random
import threading
import time
from pathlib import Path

import pytest
from tests.recovery.nursery import Nursery

KILLS = 100 if os.environ.get("MARIGRAM_SOAK") else 2


def line(number: int) -> bytes:
    chance = random.Random(number)
    event = {
        "time": number, "id": f"e{number}", "source": f"s{chance.randrange(20)}", "target": f"t{chance.randrange(9)}",
        "amount": chance.lognormvariate(3, 1),
    }  # fmt: skip
    return json.dumps(event).encode() + b"\n" if number % 50 else b"{broken\n"


class Writer(threading.Thread):
    """Appends lines, some in two halves; rotates the log, and drops packed files that are whole only after a while."""

    def __init__(self, folder: Path, count: int, *, alone: bool) -> None:
        super().__init__(daemon=True)
        self.folder, self.count, self.alone = folder, count, alone
        self.log, self.written = folder / "app.jsonl", 0

    def run(self) -> None:
        chance = random.Random(9)
        while self.written < self.count:
            piece = [
                line(self.written + k) for k in range(min(chance.randrange(1, 60), self.count - self.written))
            ]
            data, kind = b"".join(piece), chance.random()
            if self.alone or kind < 0.7:
                half = chance.randrange(len(data))
                for part in (data[:half], data[half:]):
                    with self.log.open("ab") as file:
                        file.write(part)
                    time.sleep(0.002)
            elif kind < 0.8 and self.log.exists():
                self.log.rename(self.folder / f"app.jsonl.{self.written}")
                self.log.write_bytes(data)
            else:
                packed = gzip.compress(data)
                with (self.folder / f"{self.written}.jsonl.gz").open("wb") as file:
                    file.write(packed[:40])
                    file.flush()
                    time.sleep(0.03)
                    file.write(packed[40:])
            self.written += len(piece)
            time.sleep(0.01)


def followed(nursery: Nursery, tmp_path: Path, count: int, *, alone: bool) -> tuple[Path, Path, Path]:
    """Follow while a writer writes, killed again and again, then read to the end; returns logs, out and rejects."""
    logs, out, rejects = tmp_path / "logs", tmp_path / "out.jsonl", tmp_path / "rejects.jsonl"
    logs.mkdir()
    writer, chance = Writer(logs, count, alone=alone), random.Random(5)
    writer.start()
    source = writer.log if alone else logs
    arguments = [
        "watch",
        "--preset",
        "cards",
        "--follow",
        "-q",
        str(source),
        "--state",
        str(tmp_path / "state"),
    ]
    arguments += ["--out", str(out), "--rejects", str(rejects)]
    for _ in range(KILLS):
        assert not nursery.run(*arguments, kill_after=chance.uniform(0.3, 2.0))
    writer.join()
    arguments.remove("--follow")
    assert nursery.run(*arguments)  # what is left
    return logs, out, rejects


def test_a_growing_log_is_judged_as_if_nothing_happened(nursery: Nursery, tmp_path: Path) -> None:
    logs, out, rejects = followed(nursery, tmp_path, 1000, alone=True)
    whole = [str(tmp_path / name) for name in ("whole.jsonl", "whole-rejects.jsonl")]
    log = str(logs / "app.jsonl")
    assert nursery.run("watch", "--preset", "cards", "-q", log, "--out", whole[0], "--rejects", whole[1])
    assert out.read_bytes() == Path(whole[0]).read_bytes()
    assert rejects.read_bytes() == Path(whole[1]).read_bytes()
    assert len(out.read_bytes().splitlines()) == 980
    assert [json.loads(text)["line"] for text in rejects.read_bytes().splitlines()] == list(
        range(1, 1000, 50)
    )


@pytest.mark.recovery
def test_every_event_of_a_folder_is_judged_once(nursery: Nursery, tmp_path: Path) -> None:
    _, out, rejects = followed(nursery, tmp_path, 1500, alone=False)
    ids = [json.loads(text)["id"] for text in out.read_bytes().splitlines()]
    assert len(ids) == len(set(ids))
    assert set(ids) == {f"e{number}" for number in range(1500) if number % 50}
    assert len(rejects.read_bytes().splitlines()) == 30
