"""Past one machine's memory, and past one process: what it costs."""
