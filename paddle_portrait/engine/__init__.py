"""Training and judging: the loop, what hangs on it, and what it saves."""
