# Predictions and labelled examples, written into one buffer: streams.scoring.record_writer in C, to whose bytes a
# property test holds it. Avro specification, "Binary Encoding".

cdef enum:
    LONGEST = 10  # bytes of a 64-bit number


cdef class RecordWriter:
    """See streams.scoring.record_writer.RecordWriter."""

    cdef object codec
    cdef str deployment
    cdef char* data
    cdef Py_ssize_t size
    cdef Py_ssize_t room

    def __cinit__(self, codec, str deployment_id not None):
        self.codec = codec
        self.deployment = deployment_id

    def __dealloc__(self):
        PyMem_Free(self.data)

    def prediction(
        self,
        str prediction_id not None,
        str target not None,
        str customer_id not None,
        long long asked_at,
        str asked_by not None,
        list answers not None,
        Py_ssize_t champion,
        bytes vector not None,
        reasons,
        bint observed,
        horizon_end,
        dict source not None,
    ):
        """See streams.scoring.record_writer.RecordWriter."""
        cdef tuple answer = answers[champion]
        self.begin(PREDICTION)
        self.text(prediction_id)
        self.text(target)
        self.text(customer_id)
        self.long(asked_at)
        self.text(asked_by)
        self.double(answer[2])
        self.text(answer[0])
        self.answers(answers)
        self.doubles(vector)
        self.reasons(reasons)
        self.byte(observed)
        if horizon_end is None:
            self.byte(0)
        else:
            self.byte(2)
            self.long(horizon_end)
        self.text(self.deployment)
        self.source(source)
        return PyBytes_FromStringAndSize(self.data, self.size)

    def example(
        self,
        str example_id not None,
        str customer_id not None,
        observation,
        double label,
        long long outcome_at,
        str settled_by not None,
        previous,
        dict source not None,
    ):
        """See streams.scoring.record_writer.RecordWriter."""
        self.begin(LABELLED_EXAMPLE)
        self.text(example_id)
        self.text(observation.prediction_id)
        self.text(observation.target)
        self.text(customer_id)
        self.long(observation.asked_at)
        self.answers(observation.answers)
        self.doubles(observation.vector)
        self.double(label)
        self.long(outcome_at)
        self.text(settled_by)
        self.text(self.deployment)
        if previous is None:
            self.byte(0)
        else:
            self.byte(2)
            self.text(previous)
        self.source(source)
        return PyBytes_FromStringAndSize(self.data, self.size)

    cdef int begin(self, str name) except -1:
        cdef bytes header = self.codec.header(name)
        self.size = 0
        return self.copy(PyBytes_AS_STRING(header), PyBytes_GET_SIZE(header))

    cdef int answers(self, list answers) except -1:
        cdef tuple answer
        self.long(len(answers))
        for answer in answers:
            self.text(answer[0])
            self.text(answer[1])
            self.double(answer[2])
            self.byte(answer[3])
        return self.byte(0) if answers else 0

    cdef int reasons(self, reasons) except -1:
        if not reasons:
            return self.byte(0)
        self.long(len(reasons))
        for feature, value in reasons:
            self.text(feature)
            self.double(value)
        return self.byte(0)

    cdef int doubles(self, bytes packed) except -1:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(packed)
        if not size:
            return self.byte(0)
        self.long(size // 8)
        self.copy(PyBytes_AS_STRING(packed), size)
        return self.byte(0)

    cdef int source(self, dict source) except -1:
        self.text(source["topic"])
        self.long(source["epoch"])
        self.long(source["partition"])
        self.long(source["offset"])
        return self.long(source["ordinal"])

    # -- Avro's types

    cdef int text(self, str value) except -1:
        cdef Py_ssize_t size
        cdef const char* data = PyUnicode_AsUTF8AndSize(value, &size)
        self.long(size)
        return self.copy(data, size)

    cdef int long(self, long long value) except -1:
        cdef unsigned long long left = (<unsigned long long>value << 1) ^ <unsigned long long>(value >> 63)
        self.ensure(LONGEST)
        while left > 0x7F:
            self.data[self.size] = <char>(left & 0x7F | 0x80)
            self.size += 1
            left >>= 7
        self.data[self.size] = <char>left
        self.size += 1
        return 0

    cdef int double(self, double value) except -1:
        return self.copy(<const char*>&value, sizeof(double))

    cdef int byte(self, char value) except -1:
        return self.copy(&value, 1)

    cdef int copy(self, const char* data, Py_ssize_t size) except -1:
        self.ensure(size)
        memcpy(self.data + self.size, data, size)
        self.size += size
        return 0

    cdef int ensure(self, Py_ssize_t more) except -1:
        cdef char* grown
        if self.size + more > self.room:
            grown = <char*>PyMem_Realloc(self.data, 2 * (self.size + more))
            if grown == NULL:
                raise MemoryError
            self.data = grown
            self.room = 2 * (self.size + more)
        return 0
