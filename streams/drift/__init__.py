"""Whether things are as they were: sketches, statistics and their thresholds."""
