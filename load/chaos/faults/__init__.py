"""The faults of a run: injected, and healed."""
