"""The load generator: customers with behaviour, scenarios as data, events at a rate that no slow system can slow down."""
