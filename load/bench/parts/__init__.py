"""The parts of the benchmark, one measurement each."""
