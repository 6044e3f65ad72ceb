"""Is Tidecast exactly River's own loop, with Kafka and everything in between?"""
