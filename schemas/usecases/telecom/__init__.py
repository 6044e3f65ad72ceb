"""Events of the use case telecom: schemas and typed records."""
