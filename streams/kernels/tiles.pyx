"""Events into tiles and tiles into totals: the inner loops of streams.features.plan.

The numbers are those of its own loops, to which a property test holds them: whole numbers are added up as Python's,
without rounding, floats in the order of tiles."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.math cimport isfinite
from libc.string cimport memcpy

from math import nan

from streams.features.distinct import add as add_distinct
from streams.features.columns import COUNT, DISTINCT, FOLD, MAX, MIN, SUM, VALUES

cdef enum:
    COUNT_, VALUES_, SUM_, MIN_, MAX_, DISTINCT_, FOLD_

assert (COUNT_, VALUES_, SUM_, MIN_, MAX_, DISTINCT_, FOLD_) == (COUNT, VALUES, SUM, MIN, MAX, DISTINCT, FOLD)
cdef object LEAST = -(1 << 63), BEYOND = 1 << 63



def same_content(bytes data not None, bytes digest not None):
    """See streams.features.customer_state."""
    cdef const unsigned char* at = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef unsigned long long wanted, found, identity
    cdef Py_ssize_t i
    memcpy(&identity, <const char*>b"\xff\xff\xff\xff\xff\xff\0\0", 8)
    memcpy(&wanted, PyBytes_AS_STRING(digest), 8)
    for i in range(0, PyBytes_GET_SIZE(data) - 7, 8):
        memcpy(&found, at + i, 8)
        if (found ^ wanted) & identity == 0:
            return found == wanted
    return None


def read_windows(list out not None, list windows not None, list series not None, long long clock):
    """See FeaturePlan._read_windows."""
    cdef Py_ssize_t start, at, place, position, index
    cdef long long width, kept, first
    cdef list tiles, totals, others
    cdef tuple window, total_of
    cdef double value, scale
    cdef object moment
    for window in windows:
        index, width, kept, totals, others = window
        tiles = series[index]
        if not tiles:
            continue
        first = clock // width - kept
        start = 0
        while start < len(tiles) and <long long>(<list>tiles[start])[0] <= first:
            start += 1
        for total_of in totals:
            place, position, scale = total_of
            total = 0
            for at in range(start, len(tiles)):
                total = total + (<list>tiles[at])[position]
            value = total
            value *= scale
            out[place] = value if isfinite(value) else nan
        if others:
            moment = clock
            for place, read in others:
                out[place] = read(tiles[start:], moment)


def prune(list series not None, list pruned not None, long long clock):
    """See streams.features.plan._prune."""
    cdef Py_ssize_t index, count
    cdef long long width, kept, first
    cdef list tiles
    cdef tuple one
    for one in pruned:
        index, width, kept = one
        tiles = series[index]
        if not tiles:
            continue
        first = clock // width - kept
        count = 0
        while count < len(tiles) and <long long>(<list>tiles[count])[0] <= first:
            count += 1
        if count:
            del tiles[:count]


def apply(steps, list series not None, list registers not None, record, long long clock, long long occurred_at):
    """See streams.features.plan._apply."""
    cdef tuple step, equal, change
    cdef list tiles, columns
    cdef long long width, kept, slot
    for declared in steps:
        step = <tuple>declared  # a named one, of a class of its own
        equal = step[0]
        if equal is not None and record[equal[0]] != equal[1]:
            continue
        if step[1] is not None and not step[1](record):
            continue
        for at, field in <list>step[2]:
            _register(registers, at, occurred_at, record, field)
        for series_step in <list>step[3]:
            change = <tuple>series_step
            width, kept, columns = change[1], change[2], change[4]
            slot = occurred_at // width
            tiles = series[change[0]]
            if tiles and <long long>(<list>tiles[-1])[0] == slot:
                _add(<list>tiles[-1], columns, record)
            elif slot > clock // width - kept:
                _add(_open_tile(tiles, slot, change[3]), columns, record)


cdef int _register(list registers, Py_ssize_t at, long long moment, record, field) except -1:
    latest = registers[at]
    if latest is not None and <long long>(<list>latest)[0] > moment:
        return 0
    if field is None:
        registers[at] = [moment]
        return 0
    value = record[field]
    if value is not None:
        registers[at] = [moment, value]
    return 0


cdef list _open_tile(list tiles, long long slot, list empty):
    """The tile of that slot, put in its place if there is none: looked for from the end, where nearly all are."""
    cdef Py_ssize_t at = len(tiles)
    cdef list tile
    while at and <long long>(<list>tiles[at - 1])[0] > slot:
        at -= 1
    if at and <long long>(<list>tiles[at - 1])[0] == slot:
        return tiles[at - 1]
    tile = empty.copy()
    tile[0] = slot
    tiles.insert(at, tile)
    return tile


cdef int _add(list tile, list columns, record) except -1:
    """Put an event into its tile."""
    cdef Py_ssize_t position
    cdef int kind
    cdef tuple column
    for column in columns:
        position, kind = column[0], column[1]
        if kind == COUNT_:
            tile[position] += 1
            continue
        value = record[column[2]]
        if value is None:
            continue
        if kind == SUM_:
            value = tile[position] + value
            tile[position] = value if LEAST <= value < BEYOND else float(value)
        elif kind == VALUES_:
            tile[position] += 1
        elif kind == DISTINCT_:
            if tile[position] is None:
                tile[position] = []
            add_distinct(tile[position], value, column[3])
        elif kind == FOLD_:
            tile[position] = column[3](tile[position], value)
        else:
            best = tile[position]
            if best is None or (value < best if kind == MIN_ else value > best):
                tile[position] = value
    return 0
