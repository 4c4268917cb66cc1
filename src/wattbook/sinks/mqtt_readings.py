"""Readings on topics of our own choice: each one as a message, last values as state, meters described."""

from __future__ import annotations

from dataclasses import dataclass

from wattbook.codecs.mqtt import Message, Will
from wattbook.model import Batch
from wattbook.sinks.messages import MessageMaker
from wattbook.sinks.mqtt_home_assistant import BIRTH, HomeAssistant
from wattbook.sinks.mqtt_speech import Outgoing
from wattbook.sinks.mqtt_state import States
from wattbook.transports.mqtt_publish import Publish

ONLINE, OFFLINE = b"online", b"offline"


@dataclass(slots=True)
class ReadingsSpeech:
    """What was configured of: readings, states, Home Assistant, and whether we are there."""

    qos: int
    readings: MessageMaker | None
    states: States | None = None
    home_assistant: HomeAssistant | None = None
    status_topic: str = ""

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.home_assistant.topic,) if self.home_assistant else ()

    def will(self) -> Will | None:
        return Will(self.status_topic, OFFLINE) if self.status_topic else None

    def waits_for(self) -> str:
        return ""

    def greeting(self) -> list[Publish]:
        there = [Publish(self.status_topic, ONLINE, retained=True)] if self.status_topic else []
        return there + (self.home_assistant.all() if self.home_assistant else [])

    def farewell(self) -> list[Publish]:
        return [Publish(self.status_topic, OFFLINE, retained=True)] if self.status_topic else []

    def recall(self, bookmark: str) -> None:
        if self.states:
            self.states.recall(bookmark)

    def bookmark(self) -> str:
        return self.states.bookmark() if self.states else ""

    def outgoing(self, batch: Batch) -> Outgoing:
        out = Outgoing()
        if self.home_assistant:
            for description in self.home_assistant.new(batch):
                out.say(description)
        if self.readings:
            for made in self.readings.messages(batch):
                for row, topic, _, payload in made.rows():
                    out.tell(Publish(topic, payload), made.columns, row)
        if self.states:
            for state in self.states.messages(batch):
                out.say(state)
        return out

    def hear(self, message: Message) -> bool:
        return message.payload == BIRTH.encode()
