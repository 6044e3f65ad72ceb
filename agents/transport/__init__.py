"""Faust and aiokafka: apps that hand a stage whole batches of records."""
