"""The time of a wall clock: who writes its ticks, and by which clock."""
