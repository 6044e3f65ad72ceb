"""One question, from the features to the record: streams.scoring.answering in C.

A property test holds it to the same records, ids and choices."""

from hashlib import blake2b
from math import nan

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_FromStringAndSize
from libc.math cimport exp, fabs, isfinite
from libc.stdio cimport snprintf
from libc.string cimport memcpy

cdef extern from "Python.h":
    const Py_ssize_t PY_SSIZE_T_MAX

from schemas.records import LABELLED_EXAMPLE, PREDICTION
from schemas.topics import PREDICTIONS
from streams.scoring.serving_set import REASONS, answer

include "linear.pxi"
include "record_writer.pxi"

cdef enum:
    ID_BYTES = 96


cdef class Asker:
    """See streams.scoring.answering.Asker."""

    cdef RecordWriter writer

    def __cinit__(self, codec, str deployment_id not None):
        self.writer = RecordWriter(codec, deployment_id)

    def ask(
        self,
        work,
        str customer_id not None,
        plan,
        list serving_set not None,
        list features not None,
        long long asked_at,
        str asked_by not None,
        bint room,
    ):
        """See streams.scoring.answering.Asker."""
        cdef long long epoch = work.epoch, partition = work.partition, offset = work.offset, ordinal = work.ordinal
        cdef str name = plan.name
        cdef list vector = _chosen(features, plan.columns)
        cdef bytes packed = _packed(vector)
        cdef str prediction_id = _id(epoch, partition, offset, ordinal)
        cdef dict source = {
            "topic": work.topic, "epoch": epoch, "partition": partition, "offset": offset, "ordinal": ordinal
        }
        cdef bint chosen = _observes(name, prediction_id, plan.observed_below)
        cdef list answers = [], reasons = []
        horizon = plan.horizon
        work.ordinal = ordinal + 1
        _answers(serving_set, vector, answers, reasons)
        value = self.writer.prediction(
            prediction_id,
            name,
            customer_id,
            asked_at,
            asked_by,
            answers,
            plan.champion,
            packed,
            reasons,
            chosen and room,
            None if horizon is None else asked_at + horizon,
            source,
        )
        work.emit(PREDICTIONS, partition, customer_id.encode(), value, source)
        return prediction_id, packed, answers, chosen


cdef list _chosen(list features, list columns):
    return features if columns is None else [features[i] for i in columns]


cdef bytes _packed(list vector):
    cdef Py_ssize_t i
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, 8 * len(vector))
    cdef char* data = PyBytes_AS_STRING(packed)
    cdef double value
    for i in range(len(vector)):
        value = vector[i]
        memcpy(data + 8 * i, &value, 8)
    return packed


cdef str _id(long long epoch, long long partition, long long offset, long long ordinal):
    cdef char[ID_BYTES] text
    cdef int size = snprintf(text, ID_BYTES, "%lld.%lld.%lld.%lld", epoch, partition, offset, ordinal)
    return PyUnicode_FromStringAndSize(text, size)


cdef bint _observes(str name, str prediction_id, below) except -1:
    """See TargetPlan.observes."""
    cdef unsigned long long number
    if below >= 1 << 64:
        return True
    cdef bytes hashed = blake2b(f"{name}\0{prediction_id}".encode(), digest_size=8).digest()
    memcpy(&number, PyBytes_AS_STRING(hashed), 8)
    return number < <unsigned long long>below


cdef int _answers(list serving_set, list vector, list answers, list reasons) except -1:
    """Every seat's answer, and the reasons of the one that has any."""
    cdef tuple seat, choice
    cdef FrozenLinear model
    cdef double value
    for declared in serving_set:
        seat = <tuple>declared  # a named one, of a class of its own
        choice = (<tuple>seat[2])[0]
        if type(choice[1]) is FrozenLinear:
            model = choice[1]
            value = model.answer(model.score(vector)) if model.fits(vector) else nan
            if isfinite(value):
                answers.append((seat[0], choice[0], value, False))
                if seat[1]:
                    reasons.extend([reason for reason in model.strongest(REASONS) if isfinite(reason[1])])
                continue
        found, told = answer(declared, vector)
        answers.append(found)
        reasons.extend(told)
    return 0
