"""`loop --state` killed with SIGKILL, at random moments and before every write: nothing is lost or counted twice.

An operator's day is a list of commands, each given again until it ends well.  What the same day gives without a kill is
the truth: the same parts, the same words, the same model in use; and every version that there is, is whole.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bridge.loop.scenes import SCHEMA, events
from tests.recovery.nursery import Nursery

from marigram import snapshots
from marigram.bridge.loop.loop import Loop, load_version

KILLS = 300 if os.environ.get("MARIGRAM_SOAK") else 2


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Commands of a day: files come, and people say what some events were; one takes a word back."""
    folder = tmp_path_factory.mktemp("events")
    schema = folder / "schema.toml"
    schema.write_text(SCHEMA.to_toml())
    commands, files = [], []
    for number in range(2):
        table, truth = events(80, seed=number, first=80 * number)
        file = folder / f"{number}.jsonl"
        rows = zip(*table.values(), strict=True)
        file.write_text("".join(f"{json.dumps(dict(zip(table, row, strict=True)))}\n" for row in rows))
        files.append(str(file))
        words = [(80 * number + k, truth[k]) for k in range(3, 80, 7)]
        told = [f"--label=event:e{row}={'true' if bad else 'false'}" for row, bad in words]
        commands.append(["--schema", str(schema), *files, *told, "--queue", "0", "--cases", "0"])
    commands[-1] += ["--label=event:e3=true", "--label=entity:address/10.9.9.1=true"]
    return commands


def held(state: Path) -> dict[str, Any]:
    """What a loop holds; every version must be whole."""
    loop = Loop(state / "loop")
    for number in loop.folder.versions():
        model, _ = load_version(loop.folder, number)
        assert model is not None
        assert loop.reports()[number].events > 0
    current = loop.folder.current()
    assert set(current.before) | {current.version} <= {0, *loop.folder.versions()}
    _, arrays = snapshots.load(loop.folder.version(current.version) / "model.mg", "loop model")
    labels = loop.folder.labels.all()
    return {
        "parts": [(part.source, part.digest, part.rows) for part in loop.folder.index().parts],
        "ids": loop.moment().ids,
        "words": [(one.of, one.subject, one.word, one.by, one.cost) for one in labels],
        "spent": loop.moment().known().spent,
        "model": {name: array.tobytes() for name, array in arrays.items()},
        "logits": loop.moment().logits.tolist(),
    }


@pytest.fixture(scope="module")
def truth(nursery: Nursery, day: list[list[str]], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    state = tmp_path_factory.mktemp("truth")
    begun = time.monotonic()
    for command in day:
        assert nursery.run("loop", "--state", str(state), *command)
    return held(state) | {"seconds": (time.monotonic() - begun) / len(day)}


def test_killed_before_every_write_a_loop_is_as_if_nothing_happened(
    nursery: Nursery, day: list[list[str]], truth: dict[str, Any], tmp_path: Path
) -> None:
    """In the long form every write of each command is tried, here each seventeenth."""
    state, kills = tmp_path / "state", 0
    for command in day:
        write = 1
        while not nursery.run("loop", "--state", str(state), *command, at_write=write):
            kills += 1
            write += 1 if os.environ.get("MARIGRAM_SOAK") else 17
    assert kills >= 4
    assert held(state).items() <= truth.items()


def test_killed_at_random_moments_a_loop_is_as_if_nothing_happened(
    nursery: Nursery, day: list[list[str]], truth: dict[str, Any], tmp_path: Path
) -> None:
    chance, died, rounds = random.Random(4), 0, 0
    while died < KILLS:
        state = tmp_path / f"state-{rounds}"
        rounds += 1
        for command in day:
            while died < KILLS:
                if nursery.run(
                    "loop", "--state", str(state), *command, kill_after=chance.uniform(0, truth["seconds"])
                ):
                    break
                died += 1
            assert nursery.run("loop", "--state", str(state), *command)
        assert held(state).items() <= truth.items()


@pytest.mark.recovery
def test_beside_a_service_that_is_killed_too(nursery: Nursery, tmp_path: Path) -> None:
    server = pytest.importorskip("tests.recovery.server")
    from marigram import Client
    from marigram.store.database import FILE

    chance, state = random.Random(7), tmp_path / "state"
    rng = np.random.default_rng(3)
    with server.Server(
        state, "--no-silence", "--key", "host", "--value", "load", "--time", "time"
    ) as serving:
        serving.start()
        for number in range(1 if KILLS < 100 else 6):
            client = Client(serving.url, attempts=1000, timeout=10)
            rows = [
                {
                    "time": f"2026-01-01T{number % 24:02d}:{i // 60:02d}:{i % 60:02d}Z",
                    "host": f"h{i % 3}",
                    "load": 90.0 if i % 250 == 249 else float(rng.normal(20, 1)),
                }
                for i in range(1000)
            ]
            client.post(rows, f"batch-{number}")
            alerts = json.loads(fetched(f"{serving.url}/v1/alerts?context=false"))["alerts"]
            for alert in alerts[:4]:
                said(serving.url, alert["id"], "true" if int(alert["id"], 16) % 2 else "false")
            write = chance.randint(1, 20)
            while not nursery.run(
                "loop", "--state", str(state), "--queue", "0", "--cases", "0", at_write=write
            ):
                write += chance.randint(10, 30)
            client.close()
            serving.kill()
            serving.start()
        serving.stop()
    ours = held(state)
    other = tmp_path / "other"
    other.mkdir()
    (other / FILE).write_bytes((state / FILE).read_bytes())
    assert nursery.run("loop", "--state", str(other), "--queue", "0", "--cases", "0")
    theirs = held(other)
    assert ours["ids"] == theirs["ids"]
    assert len(ours["ids"]) == len(set(ours["ids"]))
    assert sorted(ours["words"]) == sorted(theirs["words"])
    assert ours["logits"] == pytest.approx(theirs["logits"])


def fetched(url: str) -> bytes:
    import urllib.request

    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own
        return bytes(answer.read())


def said(url: str, alert: str, word: str) -> None:
    import urllib.request

    body = json.dumps({"label": word}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/alerts/{alert}/label", body, headers)  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - our own
        assert answer.status == 200
