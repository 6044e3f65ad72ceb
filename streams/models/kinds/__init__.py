"""The models that can be declared, one file each. streams/models/registry lists them."""
