"""What happens to an event: pure, synchronous, deterministic."""
