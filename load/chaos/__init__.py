"""Chaos: the whole system under a seeded schedule of faults, and a calm replay that must give the same."""
