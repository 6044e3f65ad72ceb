"""Features: their declarations, and the pure function from (state, clock) to a vector."""
