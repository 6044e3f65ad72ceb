"""The demo: a simulated telecom through the whole system, and a story told while it runs."""
