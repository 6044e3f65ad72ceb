"""The load generator: customers with lives, scenarios as data, events at a rate that no slow system can slow down."""
