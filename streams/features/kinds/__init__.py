"""The features that can be declared, one file each. streams/features/registry lists them."""
