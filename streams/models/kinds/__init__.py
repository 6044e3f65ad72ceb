"""The models that an arm can declare, one file each. streams/models/registry lists them."""
