"""The outcomes that can be declared, one file each. streams/targets/registry lists them."""
