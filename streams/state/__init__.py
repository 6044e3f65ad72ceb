"""A customer's state, its packed layout, and the stores that keep it."""
