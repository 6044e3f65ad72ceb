"""The mapping: how rows of a file become records of the use case."""
