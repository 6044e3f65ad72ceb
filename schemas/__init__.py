"""Avro schemas (the source of truth), names and types of records, topics."""
