"""Models: arms as declared, the models they make, versions and snapshots."""
