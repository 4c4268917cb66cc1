"""What librdkafka says, in words."""

from __future__ import annotations

from confluent_kafka import KafkaError

from wattbook.sinks.kafka_server import KafkaServer


def in_words(error: KafkaError, server: KafkaServer) -> str:
    """What the library says, for a person."""
    match error.code():
        case KafkaError._RESOLVE:
            return "no host of this name is known"
        case KafkaError._AUTHENTICATION | KafkaError.SASL_AUTHENTICATION_FAILED:
            return f"it does not let us in: is the user, password and mechanism right? ({_reason(error)})"
        case KafkaError._SSL:
            return f"TLS failed: {_reason(error)}"
        case KafkaError._MSG_TIMED_OUT | KafkaError._TIMED_OUT:
            return f"no answer within {server.timeout_s:.0f} s"
        case KafkaError._ALL_BROKERS_DOWN if server.secure and not server.tls.certificate_file:
            return 'no broker stays with us; does it ask for a "certificate" of ours?'
        case KafkaError._ALL_BROKERS_DOWN:
            return "no broker answers"
        case KafkaError._TRANSPORT if "SSL routines" in error.str():  # which of the two it says is a matter of chance
            return f"TLS failed: {_reason(error)}"
        case KafkaError._TRANSPORT:
            return f"no connection: {_reason(error)}"
        case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC:
            return "the topic is not there, and the brokers do not make one by themselves"
        case KafkaError.TOPIC_AUTHORIZATION_FAILED | KafkaError.CLUSTER_AUTHORIZATION_FAILED:
            return "we may not write to the topic"
        case _:
            return _reason(error)


def _reason(error: KafkaError) -> str:
    """The library's text without its own bookkeeping: `host:9092/bootstrap: … (after 3ms in state CONNECT)`."""
    text = error.str().partition(" (after ")[0]
    where, separator, reason = text.partition(": ")
    return reason if separator and "/" in where and " " not in where else text
