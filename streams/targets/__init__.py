"""Targets: what asks a question, and what settles it."""
