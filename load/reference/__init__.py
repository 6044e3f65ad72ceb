"""The reference job: small events, 20 features, two logistic models asked on every event."""
