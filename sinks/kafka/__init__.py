"""Clients of Kafka, and the producers of outputs."""
