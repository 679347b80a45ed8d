"""`marigram bench speed`: events a second, ours and the installed peers, on the same streams in one run.

`streams` makes the streams, `ours` and `peers` run over them, `memory` measures what the machine allows, `forms` names
what is measured and `run` measures it. One thread everywhere.
"""
