"""Quality of the default detector on streams whose truth is known: `python -m benchmarks.quality`."""
