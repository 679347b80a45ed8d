"""Learning that is killed goes on from its checkpoint and ends with the same bits as learning that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LEARN = """
import sys
import torch
from tests.graph.synthesis.graphs import social
from marigram import graph as mgg
torch.set_num_threads(1)
fitted = mgg.Synthesizer(budget=0.2, hops=2, width=16, latent=16).fit(social(), checkpoint=sys.argv[1] or None)
fitted.report = {}
fitted.save(sys.argv[2])
"""


def start(checkpoint: Path | str, out: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'src'}", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", LEARN, str(checkpoint), str(out)], cwd=root, env=environment
    )


@pytest.mark.recovery
@pytest.mark.parametrize("stage", ["autoencoder", "decoders", "denoiser"])
def test_killed_in_any_stage(stage: str, tmp_path: Path) -> None:
    whole = start("", tmp_path / "whole")
    first = start(tmp_path / "kept", tmp_path / "broken")
    until = time.monotonic() + 300
    while not (tmp_path / "kept" / f"{stage}.safetensors").exists() and time.monotonic() < until:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not (tmp_path / "broken").exists()
    again = start(tmp_path / "kept", tmp_path / "broken")
    assert (whole.wait(), again.wait()) == (0, 0)
    one, other = ((tmp_path / name / "synthesizer.safetensors").read_bytes() for name in ("whole", "broken"))
    assert one == other
