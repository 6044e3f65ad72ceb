"""Clients of Kafka and the schema registry, for commands and tools."""
