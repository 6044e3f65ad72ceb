"""The schema files of our own records."""
