"""What is checked before the first record is sent: identities, gaps in time, and what the log holds already."""
