"""Commands that look: status, customer, tail, sql, dead-letters, late-events, verify."""
