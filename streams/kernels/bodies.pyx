"""Avro bodies, read straight from their bytes.

What it does not take (other types, bytes that end too early or go on, text that is no UTF-8, numbers of more than 64
bits) it leaves to the library, which knows what to say. A property test holds it to the library's values. Avro
specification, "Binary Encoding"."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.string cimport memcpy

cdef enum:
    NULL_, BOOLEAN, WHOLE, FLOAT, DOUBLE, BYTES, STRING, UNION, ARRAY, MAP, RECORD

KINDS = {"null": NULL_, "boolean": BOOLEAN, "int": WHOLE, "long": WHOLE, "float": FLOAT, "double": DOUBLE,
         "bytes": BYTES, "string": STRING, "array": ARRAY, "map": MAP, "record": RECORD}


class _Odd(Exception):
    """For the library."""


cdef unsigned int CRC[8][256]
"""CRC-32 of each byte with 0 to 7 zero bytes behind it: eight bytes are worked off at once."""

cdef void fill():
    cdef unsigned int byte, crc
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
        CRC[0][byte] = crc
    for i in range(1, 8):
        for byte in range(256):
            crc = CRC[i - 1][byte]
            CRC[i][byte] = (crc >> 8) ^ CRC[0][crc & 0xFF]

fill()


def checksum(bytes data not None, Py_ssize_t start):
    """See streams.avro.canonical."""
    cdef const unsigned char* at = <const unsigned char*>PyBytes_AS_STRING(data)
    cdef Py_ssize_t end = PyBytes_GET_SIZE(data)
    cdef Py_ssize_t i = start
    cdef unsigned int crc = 0xFFFFFFFF
    cdef char found[2]
    while end > start and at[end - 1] == 0:
        end -= 1
    while i + 8 <= end:
        crc = (
            CRC[7][(crc ^ at[i]) & 0xFF] ^ CRC[6][(crc >> 8 ^ at[i + 1]) & 0xFF]
            ^ CRC[5][(crc >> 16 ^ at[i + 2]) & 0xFF] ^ CRC[4][crc >> 24 ^ at[i + 3]]
            ^ CRC[3][at[i + 4]] ^ CRC[2][at[i + 5]] ^ CRC[1][at[i + 6]] ^ CRC[0][at[i + 7]]
        )
        i += 8
    while i < end:
        crc = CRC[0][(crc ^ at[i]) & 0xFF] ^ crc >> 8
        i += 1
    crc ^= 0xFFFFFFFF
    found[0] = <char>(crc >> 8)
    found[1] = <char>crc
    return PyBytes_FromStringAndSize(found, 2)


cdef class _Type:
    """`inner`: a union's branches, a record's fields, or the items of an array or map alone."""

    cdef int kind
    cdef tuple names
    cdef tuple inner

    def __cinit__(self, schema):
        self.names = self.inner = ()
        if isinstance(schema, list):
            self.kind = UNION
            self.inner = tuple([_Type(branch) for branch in schema])
            return
        self.kind = KINDS[schema["type"] if isinstance(schema, dict) else schema]
        if self.kind == RECORD:
            self.names = tuple([field["name"] for field in schema["fields"]])
            self.inner = tuple([_Type(field["type"]) for field in schema["fields"]])
        elif self.kind == ARRAY or self.kind == MAP:
            self.inner = (_Type(schema["items" if self.kind == ARRAY else "values"]),)


cdef class BodyReader:
    """Reads bodies of one schema."""

    cdef _Type schema
    cdef const unsigned char* data
    cdef Py_ssize_t at
    cdef Py_ssize_t end

    def __cinit__(self, schema):
        """`schema`: as the Avro library parsed it. KeyError when it has enums, fixed types or names of types."""
        self.schema = _Type(schema)

    def read(self, bytes value not None, Py_ssize_t at):
        """The record whose body begins there and ends with the value; None for what the library should look at."""
        self.data = <const unsigned char*>PyBytes_AS_STRING(value)
        self.at = at
        self.end = PyBytes_GET_SIZE(value)
        try:
            record = self.value(self.schema)
        except (_Odd, UnicodeDecodeError):
            return None
        return record if self.at == self.end else None

    cdef object value(self, _Type type):
        cdef double wide
        cdef float narrow
        cdef long long size
        cdef int kind = type.kind
        if kind == STRING:
            return self.text()
        if kind == WHOLE:
            return self.whole()
        if kind == DOUBLE:
            memcpy(&wide, self.take(8), 8)
            return wide
        if kind == UNION:
            return self.value(type.inner[self.below(len(type.inner))])
        if kind == NULL_:
            return None
        if kind == RECORD:
            return self.record(type)
        if kind == MAP or kind == ARRAY:
            return self.blocks(type.inner[0], kind == MAP)
        if kind == BOOLEAN:
            size = self.take(1)[0]
            if size != 0 and size != 1:
                raise _Odd
            return size == 1
        if kind == FLOAT:
            memcpy(&narrow, self.take(4), 4)
            return <double>narrow
        size = self.whole()
        return PyBytes_FromStringAndSize(self.take(size), size)

    cdef dict record(self, _Type type):
        cdef dict found = {}
        cdef Py_ssize_t i
        for i in range(len(type.names)):
            found[type.names[i]] = self.value(type.inner[i])
        return found

    cdef object blocks(self, _Type items, bint keyed):
        """A map or an array; blocks that tell their size, which few encoders write, are the library's."""
        cdef dict pairs = {}
        cdef list values = []
        cdef long long count
        while True:
            count = self.below(self.end - self.at)
            if count == 0:
                return pairs if keyed else values
            for _ in range(count):
                if keyed:
                    key = self.text()
                    pairs[key] = self.value(items)
                else:
                    values.append(self.value(items))

    cdef str text(self):
        cdef long long size = self.whole()
        return PyUnicode_DecodeUTF8(self.take(size), size, NULL)

    cdef long long below(self, long long limit) except -1:
        """A number from 0 on that is smaller than the limit."""
        cdef long long found = self.whole()
        if found < 0 or found >= limit:
            raise _Odd
        return found

    cdef const char* take(self, long long size) except NULL:
        cdef const char* start = <const char*>self.data + self.at
        if size < 0 or size > self.end - self.at:
            raise _Odd
        self.at += size
        return start

    cdef long long whole(self) except? -1:
        """A zigzag number."""
        cdef unsigned long long found = 0
        cdef unsigned char byte
        cdef int shift = 0
        while True:
            if self.at >= self.end or shift > 63:
                raise _Odd
            byte = self.data[self.at]
            self.at += 1
            if shift == 63 and byte > 1:
                raise _Odd
            found |= <unsigned long long>(byte & 0x7F) << shift
            if byte < 0x80:
                return <long long>(found >> 1) ^ -<long long>(found & 1)
            shift += 7
