"""Learning: labelled-examples of one target in; snapshots of one arm, and the switches that serve them, out."""
