"""The stores of state and positions: their protocols, and an implementation in memory."""
