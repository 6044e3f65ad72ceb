"""Decodes and encodes registry-framed Avro."""
