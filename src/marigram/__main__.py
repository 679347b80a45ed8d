"""``python -m marigram`` is the command ``marigram``."""

from marigram.cli import main

if __name__ == "__main__":
    main()
