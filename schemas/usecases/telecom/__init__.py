"""Events of the use case telecom: schemas, names and types."""
