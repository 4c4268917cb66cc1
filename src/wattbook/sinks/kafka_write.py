"""Batches written to Kafka: which message goes to which topic."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import ClassVar

from wattbook.model import Batch
from wattbook.sinks.kafka_produce import Produced, Producing
from wattbook.sinks.messages import MessageMaker
from wattbook.sinks.sink import Rejected, Written

TOPIC_SIZE_MAX = 249  # characters, Kafka's own limit


@dataclass(slots=True)
class KafkaSink:
    """Produces batches and waits for every acknowledgement."""

    maker: MessageMaker
    producing: Producing
    any_order: ClassVar[bool] = False  # who follows a topic may rely on the order of a meter's readings
    append_only: ClassVar[bool] = False  # a correction is another message of the same identity

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Produce every reading. Raises SinkUnavailable, SinkRefused."""
        rejected: list[Rejected] = []
        topics = self._by_topic(batch, rejected)
        for one, reason in await self.producing.produce(topics):
            rejected.append(Rejected(one.meter, one.at_ms, reason, one.site))
        return Written(tuple(rejected), bookmark)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self.producing.aclose()

    def _by_topic(self, batch: Batch, rejected: list[Rejected]) -> dict[str, list[Produced]]:
        topics: dict[str, list[Produced]] = defaultdict(list)
        for messages in self.maker.messages(batch):
            columns = messages.columns
            for row, topic, key, body in messages.rows():
                topics[topic].append(Produced(body, key or None, columns.meter, columns.at_ms[row], columns.site))
        for topic in [topic for topic in topics if not _may_be(topic)]:
            reason = f'no topic can be called "{topic}"'
            rejected += [Rejected(one.meter, one.at_ms, reason, one.site) for one in topics.pop(topic)]
        return topics


def _may_be(topic: str) -> bool:
    return len(topic) <= TOPIC_SIZE_MAX and topic not in (".", "..") and not re.search(r"[^A-Za-z0-9._-]", topic)
