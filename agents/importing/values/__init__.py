"""Converts the values of a file's columns to values of an Avro schema. Money goes through Decimal, never float."""
