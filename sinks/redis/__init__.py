"""State in Redis: the stores of scoring and of the other stages."""
