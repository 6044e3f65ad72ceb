# One step of gradient descent: streams.models.descent in C. Operations and their order are the same, so the bits are; a
# property test holds it to them.

from libc.math cimport pow


cdef double MOST_FIRST = 1e100


def scale(list counts not None, list means not None, list variances not None, list deviations not None,
          list weights not None, list values not None, double most):
    """See streams.models.descent."""
    cdef Py_ssize_t i, size = len(values)
    cdef double x, old, variance, off, mean, deviation, widest, z, limit = most * most, dot = 0.0
    cdef long long count
    cdef bint extreme
    if not len(counts) == len(means) == len(variances) == len(deviations) == len(weights) == size:
        raise IndexError(f"a vector of {size} numbers is not of this model, which looks at {len(weights)}")
    for i in range(size):
        x = values[i]
        if x != x:
            continue
        count = <long long>counts[i] + 1
        counts[i] = count
        old = means[i]
        variance = variances[i]
        off = x - old
        extreme = off * off > limit * variance
        if extreme:
            deviation = deviations[i]
            widest = most * deviation if deviation != 0.0 else MOST_FIRST
            if off > widest:
                off = widest
            elif off < -widest:
                off = -widest
            x = old + off
        mean = old + off / <double>count
        means[i] = mean
        x -= mean
        variance = variance + (off * x - variance) / <double>count
        variances[i] = variance
        deviation = 0.0 if variance <= 0.0 else pow(variance, 0.5)
        deviations[i] = deviation
        z = x / deviation if deviation != 0.0 else 0.0
        if extreme:
            if z > most:
                z = most
            elif z < -most:
                z = -most
        values[i] = z
        dot += <double>weights[i] * z
    return dot


def descend(list weights not None, list values not None, double gradient, double rate, double l2):
    """See streams.models.descent."""
    cdef Py_ssize_t i, size = len(values)
    cdef double z, weight
    for i in range(size):
        z = values[i]
        if z != z:
            continue
        weight = weights[i]
        if l2 != 0.0:
            weight -= rate * (z * gradient + weight * l2)
        else:
            weight -= rate * (z * gradient)
        weights[i] = weight
