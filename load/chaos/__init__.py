"""Chaos: the whole system under a seeded schedule of faults, compared with an undisturbed replay of its logs."""
