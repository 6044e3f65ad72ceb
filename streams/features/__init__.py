"""Features: declarations, and the pure function of (state, clock) that they are."""
