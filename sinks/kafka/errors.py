"""Translates errors of Kafka's clients: to Unavailable (wait and try again) or SettingError (a person must act).

librdkafka's own errors have negative codes. Those of the protocol are the same in every client, also in aiokafka."""

from confluent_kafka import KafkaError

from streams.errors import SettingError, TidecastError, Unavailable

TOO_LARGE = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD)
UNSAID = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError._MSG_TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
)
"""Codes for: nothing answers, for a reason that the error does not give."""
REASONS = {
    KafkaError._AUTHENTICATION: (
        "refuses the user or the password; check TIDECAST_KAFKA_USER, TIDECAST_KAFKA_PASSWORD and "
        "TIDECAST_KAFKA_SASL_MECHANISM"
    ),
    KafkaError._SSL: "does not agree on TLS; check TIDECAST_KAFKA_SECURITY_PROTOCOL and TIDECAST_CA_FILE",
    KafkaError._RESOLVE: "has an unknown host name; check TIDECAST_KAFKA",
}
"""Reasons for that. They may be temporary: a broker that stops while a client logs in looks like a wrong password."""
AWAY = (
    "does not answer; check that it runs (`tidecast stack up` starts the local one), TIDECAST_KAFKA and "
    "TIDECAST_KAFKA_SECURITY_PROTOCOL"
)
ENDS = {
    KafkaError.SASL_AUTHENTICATION_FAILED: REASONS[KafkaError._AUTHENTICATION],
    KafkaError.UNSUPPORTED_SASL_MECHANISM: REASONS[KafkaError._AUTHENTICATION],
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "does not let this user use the topic; add the ACL",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "does not let this user use the consumer group; add the ACL",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "does not let this user do that to the cluster; add the ACL",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "does not let this user use the transactional id; add the ACL",
    KafkaError.MSG_SIZE_TOO_LARGE: "refuses a record as too large; raise max.message.bytes of its topic",
    KafkaError.INVALID_RECORD: "refuses a record as invalid; raise max.message.bytes of its topic if it is large",
}
"""Codes of errors that stay until a person changes something."""


def kafka_error(address: str, doing: str, code: int, text: str, then: str = "") -> TidecastError:
    """Return the error to raise.

    doing: what failed, as in "cannot …". text: the client's message. then: a sentence that says how to continue when
    Kafka answers again."""
    if code in ENDS:
        return SettingError(f"Cannot {doing}: Kafka at {address} {ENDS[code]}. Details: {text.rstrip('.')}.")
    what = AWAY if code in UNSAID else REASONS.get(code, "rejected the request")
    return Unavailable(
        " ".join([f"Cannot {doing}: Kafka at {address} {what}. Details: {text.rstrip('.')}.", then]).rstrip()
    )
