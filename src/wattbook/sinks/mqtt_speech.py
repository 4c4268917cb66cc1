"""What a sink says to a broker: when it comes, of each batch, and when it leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from wattbook.codecs.mqtt import Message, Will
from wattbook.model import Batch, Columns
from wattbook.transports.mqtt_publish import Publish


@dataclass(slots=True)
class Outgoing:
    """Messages in the order in which they are to be sent, and which of them are readings."""

    messages: list[Publish] = field(default_factory=list)
    origins: dict[int, tuple[Columns, int]] = field(default_factory=dict)  # place of a message -> columns, row

    def say(self, message: Publish) -> None:
        """Add what is no reading: a state, a birth, a description of a meter."""
        self.messages.append(message)

    def tell(self, message: Publish, columns: Columns, row: int) -> None:
        """Add a reading, or a value of one."""
        self.origins[len(self.messages)] = (columns, row)
        self.messages.append(message)


class Speech(Protocol):
    """One way to speak. It knows what the other side has been told, and nothing of connections."""

    @property
    def qos(self) -> int:
        """The quality of service of what it says."""
        ...

    @property
    def topics(self) -> tuple[str, ...]:
        """What it listens to."""
        ...

    def will(self) -> Will | None:
        """What the broker is to say when we are gone without a word. Asked once for each connection."""
        ...

    def waits_for(self) -> str:
        """Why nothing may be said now, "" = it may. Asked when what is retained on `topics` has been heard."""
        ...

    def greeting(self) -> list[Publish]:
        """What is said first on a new connection, and again when somebody asks for it."""
        ...

    def recall(self, bookmark: str) -> None:
        """Take up what the last batch left; "" = nothing."""
        ...

    def bookmark(self) -> str:
        """What is to be kept beside the position."""
        ...

    def outgoing(self, batch: Batch) -> Outgoing:
        """What a batch comes to. Called for the same batch again when it was not taken."""
        ...

    def hear(self, message: Message) -> bool:
        """Take a message of `topics`; whether the greeting is to be said again."""
        ...

    def farewell(self) -> list[Publish]:
        """What is said before leaving."""
        ...
