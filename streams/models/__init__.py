"""Models: declarations of arms, the models built from them, versions and snapshots."""
