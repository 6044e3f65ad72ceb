"""The reference job: small events, 20 features, two logistic models with a question on every event."""
