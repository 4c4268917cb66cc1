"""Messages to Kafka through librdkafka, many at once, each waited for.

librdkafka (confluent-kafka) and not aiokafka: a message's time ends when its broker is gone, where aiokafka's
idempotent producer tries without an end and cannot be closed meanwhile (aiokafka issue 1101), and it takes a seventh
of the time for a message.
"""

from __future__ import annotations

import asyncio
import threading
import time
from asyncio import Future
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from wattbook.model import ConfigError, SinkRefused, SinkUnavailable
from wattbook.sinks.kafka_server import KafkaServer
from wattbook.sinks.kafka_words import in_words

DOWN_S_MAX = 5.0  # a broker that restarts is back by then, and the library has sent again what it had not answered
_LOOK_S = 0.2  # how often we look whether there is anybody

_NEVER = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG,
    KafkaError.INVALID_RECORD,
    KafkaError.INVALID_TIMESTAMP,
}
_NO_USE_TO_WAIT = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}


class Produced(NamedTuple):
    """A message, and the reading it is of."""

    body: bytes
    key: str | None
    meter: str
    at_ms: int
    site: str


Refusals = list[tuple[Produced, str]]


@dataclass(slots=True)
class Producing:
    """A producer that is made when there is something to produce and dropped when that fails."""

    server: KafkaServer
    _producer: _Producer | None = field(default=None, repr=False)

    async def produce(self, topics: Mapping[str, Sequence[Produced]]) -> Refusals:
        """Produce, wait for every answer, and return what is too large, with the reason.

        Raises SinkUnavailable, and SinkRefused when a broker will never take something of what it was sent together.
        """
        try:
            if self._producer is None:
                self._producer = await asyncio.to_thread(_Producer, self.server)
            return await asyncio.to_thread(self._producer.produce, topics)
        except ConfigError as error:
            raise SinkUnavailable(f"{self.server.shown}: {error}") from error
        except KafkaException as error:
            self._drop()
            raise SinkUnavailable(f"{self.server.shown}: {in_words(error.args[0], self.server)}") from error
        except BaseException:
            self._drop()
            raise

    async def aclose(self) -> None:
        """Let go of the producer; a later call makes another."""
        if (dropping := self._drop()) is not None:
            await dropping

    def _drop(self) -> Future[None] | None:
        """End the producer in a thread: its own threads are waited for, and one may be asking for a host's address."""
        producer, self._producer = self._producer, None
        if producer is None:
            return None
        producer.given_up = True
        return asyncio.get_running_loop().run_in_executor(None, producer.close)


class _Producer:
    """One producer of the library. All of it runs in threads; the library wants no call beside the one that ends it."""

    def __init__(self, server: KafkaServer) -> None:
        self._server = server
        self._library = Producer(server.options() | {"error_cb": self._heard})
        self._acknowledged = 0
        self._failed: KafkaError | None = None  # the first message that failed
        self._reason: KafkaError | None = None  # the last that the library had to say of connections
        self._down_since: float | None = None
        self._busy = threading.Lock()
        self.given_up = False

    def produce(self, topics: Mapping[str, Sequence[Produced]]) -> Refusals:
        with self._busy:
            return self._produce(topics)

    def close(self) -> None:
        """End it at once, with what waits in it."""
        with self._busy:
            self._library.purge()
            self._library.close()

    def _produce(self, topics: Mapping[str, Sequence[Produced]]) -> Refusals:
        refused: Refusals = []
        end = time.monotonic() + self._server.timeout_s
        self._acknowledged, self._failed = 0, None
        expected = 0
        for topic, messages in topics.items():
            waiting: Sequence[Produced] = messages
            while waiting:
                sent, waiting = self._hand_over(topic, waiting, refused)
                expected += sent
                if waiting:
                    self._wait(end)
        self._wait(end)
        if self._acknowledged != expected:
            raise SinkUnavailable(f"{self._server.shown}: {self._acknowledged} of {expected} were acknowledged")
        return refused

    def _hand_over(self, topic: str, messages: Sequence[Produced], refused: Refusals) -> tuple[int, Sequence[Produced]]:
        """Give messages to the library; return how many it took, and those that its queue has no room for."""
        told: list[dict[str, Any]] = [{"value": one.body, "key": one.key} for one in messages]
        taken = self._library.produce_batch(topic, told, callback=self._answered)
        if taken == len(told):
            return taken, ()
        waiting = []
        for one, each in zip(messages, told, strict=True):
            error = each.get("_error")
            if error is None:
                continue
            if error.code() == KafkaError._QUEUE_FULL:
                waiting.append(one)
            elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                refused.append((one, f"its message has {len(one.body)} bytes, more than {self._server.size_max}"))
            else:
                raise KafkaException(error)
        return taken, waiting

    def _wait(self, end: float) -> None:
        """Wait until everything is answered. Raises what ended the waiting."""
        while self._library.flush(_LOOK_S):
            if self.given_up or time.monotonic() > end or self._nobody_there():
                raise KafkaException(self._silence())
            if self._failed is not None:
                break
        if self._failed is not None:
            self._raise_failure(self._failed)

    def _nobody_there(self) -> bool:
        if self._reason is not None and self._reason.code() in _NO_USE_TO_WAIT:
            return True
        return self._down_since is not None and time.monotonic() - self._down_since > DOWN_S_MAX

    def _raise_failure(self, error: KafkaError) -> None:
        if error.code() in _NEVER:
            raise SinkRefused(f"{self._server.shown}: a broker refused what it was sent: {error.str()}")
        if error.code() == KafkaError._MSG_TIMED_OUT:
            raise KafkaException(self._silence())
        raise KafkaException(error)

    def _silence(self) -> KafkaError:
        """Why nothing was answered."""
        down = KafkaError._TIMED_OUT if self._down_since is None else KafkaError._ALL_BROKERS_DOWN
        return self._reason or KafkaError(down)

    def _answered(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self._acknowledged += 1
            self._reason = self._down_since = None
        elif self._failed is None:
            self._failed = error

    def _heard(self, error: KafkaError) -> None:
        """What the library has to say of its connections."""
        if error.code() == KafkaError._ALL_BROKERS_DOWN:
            self._down_since = self._down_since or time.monotonic()
        elif self._reason is None or self._reason.code() not in _NO_USE_TO_WAIT:
            self._reason = error
