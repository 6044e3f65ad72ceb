"""Producing to Kafka."""
