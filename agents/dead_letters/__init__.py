"""Reads dead letters and late events, and sends dead letters again."""
