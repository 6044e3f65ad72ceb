"""One step of stochastic gradient descent over scaled vectors: the loops of streams.models.linear over plain lists.

The kernel `learning` does the same, bit for bit. A property test compares the two."""

MOST_FIRST = 1e100
"""Largest first deviation from a constant: a double holds its square."""


def scale(
    counts: list[int],
    means: list[float],
    variances: list[float],
    deviations: list[float],
    weights: list[float],
    values: list[float],
    most: float,
) -> float:
    """Learn the scaling (Welford) from `values`, make them scaled values, and return their dot product with `weights`.

    Unknown values stay NaN. A value counts as at most `most` standard deviations from the mean; inf is no limit."""
    limit = most * most
    dot = 0.0
    for i, x in enumerate(values):
        if x != x:
            continue
        counts[i] = count = counts[i] + 1
        old, variance = means[i], variances[i]
        off = x - old
        extreme = off * off > limit * variance
        if extreme:
            widest = most * deviations[i] if deviations[i] else MOST_FIRST
            off = max(min(off, widest), -widest)
            x = old + off
        means[i] = mean = old + off / count
        x -= mean
        variances[i] = variance = variance + (off * x - variance) / count
        # Rounding can make a variance negative, where River fails. It counts as zero.
        deviations[i] = deviation = 0.0 if variance <= 0.0 else variance**0.5
        z = x / deviation if deviation else 0.0
        if extreme:
            z = max(min(z, most), -most)
        values[i] = z
        dot += weights[i] * z
    return dot


def descend(weights: list[float], values: list[float], gradient: float, rate: float, l2: float) -> None:
    """Move the weights of the known features against the gradient. `l2`: weight of the ridge penalty."""
    if l2:
        for i, z in enumerate(values):
            if z == z:
                weights[i] -= rate * (z * gradient + weights[i] * l2)
    else:
        for i, z in enumerate(values):
            if z == z:
                weights[i] -= rate * (z * gradient)
