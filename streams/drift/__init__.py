"""Drift detection: sketches, statistics and their thresholds."""
