"""The load generator: simulated customers, scenarios as data, and a publisher that keeps its rate."""
