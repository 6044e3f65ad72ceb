"""Files → events: mapping rows, putting them in event-time order, publishing them with their clock."""
