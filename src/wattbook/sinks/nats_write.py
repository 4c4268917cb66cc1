"""Batches written to NATS: which message has which subject and identity."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from wattbook.model import Batch
from wattbook.sinks.messages import MessageMaker
from wattbook.sinks.nats_publish import Publication, Publisher
from wattbook.sinks.sink import Rejected, Written

SUBJECT_SIZE_MAX = 1_000  # bytes; a server takes command lines of 4,096, and an inbox stands in them too


@dataclass(slots=True)
class NatsSink:
    """Publishes batches and waits for every acknowledgement."""

    maker: MessageMaker
    publisher: Publisher
    any_order: ClassVar[bool] = False  # who follows a stream may rely on the order of a meter's readings
    append_only: ClassVar[bool] = False  # a correction is another message of the same identity

    async def write(self, batch: Batch, bookmark: str) -> Written:
        """Publish every reading. Raises SinkUnavailable."""
        rejected: list[Rejected] = []
        refused = await self.publisher.publish(self._publications(batch, rejected))
        rejected += [Rejected(one.meter, one.at_ms, reason, one.site) for one, reason in refused]
        return Written(tuple(rejected), bookmark)

    async def aclose(self) -> None:
        """Let go of the connection."""
        await self.publisher.aclose()

    def _publications(self, batch: Batch, rejected: list[Rejected]) -> Iterator[Publication]:
        """Yield what is to be published. Asked for when there is a connection, which knows what is too large."""
        for messages in self.maker.messages(batch):
            columns, identities = messages.columns, self.maker.identities(messages.columns, messages.quantity)
            for row, subject, _, body in messages.rows():
                reason = self._reason_against(subject, body)
                if reason:
                    rejected.append(Rejected(columns.meter, columns.at_ms[row], reason, columns.site))
                    continue
                known_by = f"{identities[row]}/{zlib.crc32(body):08x}"
                yield Publication(subject, body, known_by, columns.meter, columns.at_ms[row], columns.site)

    def _reason_against(self, subject: str, body: bytes) -> str:
        if len(subject.encode()) > SUBJECT_SIZE_MAX:
            return f"its subject has more than {SUBJECT_SIZE_MAX} bytes"
        if len(body) > self.publisher.size_max:
            return f"its message has {len(body)} bytes, and the server takes {self.publisher.size_max}"
        return ""
