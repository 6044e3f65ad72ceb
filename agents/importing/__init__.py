"""From files to events: map rows, sort them by event time, publish them together with their clock."""
