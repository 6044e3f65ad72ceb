"""Where results go: Redis, ClickHouse, Kafka, the model store."""
