"""A simulated prepaid telecom: customers with a hidden reason to leave, and a competitor's campaign midway."""
