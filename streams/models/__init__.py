"""Models: what arms declare, the models built of that, versions and snapshots."""
