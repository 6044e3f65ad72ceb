"""Scoring: customer-events in; predictions, labelled examples and progress out."""
