"""The local stack: real Kafka, schema registry, Redis and ClickHouse on a machine that has only Python."""
