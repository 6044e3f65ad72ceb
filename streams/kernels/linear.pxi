# A linear model that only answers: streams.models.linear with its numbers in C arrays. Operations and their order are
# those of LinearModel.explain and LogisticModel.answer, so the bits are the same; a property test holds it to them.

cdef class FrozenLinear:
    """predict and explain of streams.models.arms.Model."""

    cdef Py_ssize_t size
    cdef Py_ssize_t* columns
    cdef double* numbers
    cdef double intercept
    cdef bint logistic
    cdef double widest
    cdef Py_ssize_t least
    cdef Py_ssize_t most
    cdef list names

    def __cinit__(self, list names, list columns, list means, list deviations, list weights, double intercept,
                  bint logistic, double widest):
        """`columns`: of the vector, those it looks at; None for all, in their order. `widest`: a scaled value's limit."""
        cdef Py_ssize_t i, size = len(names)
        self.size = size
        self.names = names
        self.intercept = intercept
        self.logistic = logistic
        self.widest = widest
        self.columns = <Py_ssize_t*>PyMem_Malloc(max(size, 1) * sizeof(Py_ssize_t))
        self.numbers = <double*>PyMem_Malloc(max(4 * size, 1) * sizeof(double))
        if self.columns == NULL or self.numbers == NULL:
            raise MemoryError
        self.least = self.most = size
        if columns is not None:
            self.least, self.most = max(columns, default=-1) + 1, PY_SSIZE_T_MAX
        for i in range(size):
            self.columns[i] = i if columns is None else columns[i]
            self.numbers[i] = means[i]
            self.numbers[size + i] = deviations[i]
            self.numbers[2 * size + i] = weights[i]

    def __dealloc__(self):
        PyMem_Free(self.columns)
        PyMem_Free(self.numbers)

    def predict(self, list vector not None):
        """See streams.models.arms.Model."""
        return self.answer(self.score(vector))

    def explain(self, list vector not None, int top):
        """See streams.models.arms.Model."""
        cdef double found = self.score(vector)
        return self.answer(found), self.strongest(top)

    cdef bint fits(self, list vector):
        return self.least <= len(vector) <= self.most

    cdef double score(self, list vector) except? -1.0:
        """The linear score; leaves what each column added in the last quarter of `numbers`."""
        cdef Py_ssize_t i, size = self.size, width = len(vector)
        cdef double x, z, dot = 0.0
        cdef double* means = self.numbers
        cdef double* deviations = means + size
        cdef double* weights = deviations + size
        cdef double* parts = weights + size
        if not self.fits(vector):
            raise IndexError(f"a vector of {width} numbers is not of this model, which looks at {self.least}")
        for i in range(size):
            x = vector[self.columns[i]]
            if deviations[i] == 0.0 or x != x:
                parts[i] = 0.0
                continue
            z = (x - means[i]) / deviations[i]
            if z > self.widest:
                z = self.widest
            elif z < -self.widest:
                z = -self.widest
            parts[i] = weights[i] * z
            dot += parts[i]
        return dot + self.intercept

    cdef double answer(self, double score):
        if not self.logistic:
            return score
        if score < -30:
            return 0.0
        if score > 30:
            return 1.0
        return 1 / (1 + exp(-score))

    cdef list strongest(self, int top):
        """The largest parts by size, the first of equal ones first: taken one after the other, `top` being small."""
        cdef double* parts = self.numbers + 3 * self.size
        cdef Py_ssize_t i, best
        cdef list found = []
        for _ in range(top):
            best = -1
            for i in range(self.size):
                if fabs(parts[i]) > (0.0 if best < 0 else fabs(parts[best])):
                    best = i
            if best < 0:
                break
            found.append((self.names[best], parts[best]))
            parts[best] = 0.0
        return found
