"""The working set of a slice: a partition, its customers and their timers; and the cache between slices."""
