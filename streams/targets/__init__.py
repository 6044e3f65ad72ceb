"""Questions to customers: what asks them, how they are answered, what settles them."""
