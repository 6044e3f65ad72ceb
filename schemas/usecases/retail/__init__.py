"""Events of the use case retail: schemas and typed records."""
