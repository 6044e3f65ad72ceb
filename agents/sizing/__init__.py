"""Estimates what a load needs: cores, memory, partitions, bytes and money, from measured constants. Pure."""
