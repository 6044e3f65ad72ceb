"""The local stack: real Kafka, schema registry, Redis and ClickHouse on a machine with nothing but Python."""
