"""The event schemas of the shipped use cases, one folder each."""
