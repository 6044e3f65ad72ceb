"""Avro schemas (the source of truth), typed records and topics."""
