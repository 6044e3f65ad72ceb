"""Bytes to records and back: registry-framed Avro."""
