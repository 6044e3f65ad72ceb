"""The demo: a simulated telecom runs through the whole system, and a live view shows what happens."""
