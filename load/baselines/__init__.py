"""Baselines: the reference job on other systems, measured beside Tidecast in one run of the benchmark."""
