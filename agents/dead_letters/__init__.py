"""Dead letters and late events, for the people who look at them and send them again."""
