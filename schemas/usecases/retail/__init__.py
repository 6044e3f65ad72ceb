"""Events of the use case retail: schemas, names and types."""
