"""Baselines: the reference job as others would build it, measured beside Tidecast in one run of the benchmark."""
