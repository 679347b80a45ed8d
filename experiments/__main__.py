"""All experiments, one after another: ``python -m experiments [--full] [--out DIR] [NAME …]``; 1 if one fails."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.common import LACKING

ROOT = Path(__file__).parent


def names() -> list[str]:
    """The experiments there are."""
    return sorted(path.parent.name for path in ROOT.glob("*/run.py"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run them, each in a process of its own."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *names()], metavar="NAME", help="all, unless named")
    parser.add_argument("--full", action="store_true", help="the long forms")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write DIR/NAME/result.json")
    options = parser.parse_args(arguments)
    ends: dict[str, str] = {}
    for name in options.names or names():
        command = [sys.executable, "-m", f"experiments.{name}.run"]
        command += ["--full"] if options.full else []
        command += ["--out", str(options.out / name)] if options.out else []
        begun = time.monotonic()
        status = subprocess.run(command, cwd=ROOT.parent, check=False).returncode
        word = {0: "as expected", LACKING: "not measured: data lack"}.get(status, "FAILED")
        ends[name] = f"{word}, {time.monotonic() - begun:.0f} s"
        print(flush=True)
    print("\n".join(f"{name}: {end}" for name, end in ends.items()))
    return int(any(end.startswith("FAILED") for end in ends.values()))


if __name__ == "__main__":
    sys.exit(main())
