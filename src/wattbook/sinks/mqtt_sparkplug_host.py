"""The primary host application of a Sparkplug node: is it there to hear us?"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import msgspec

from wattbook.sinks.mqtt_topics import escape_name

_log = logging.getLogger(__name__)


class _State(msgspec.Struct):
    online: bool
    timestamp: int


@dataclass(slots=True)
class SparkplugHost:
    """The primary host application. It keeps a retained message about itself (Sparkplug 3.0.0, 6.4.17)."""

    name: str  # "" = none
    online: bool = False
    _since_ms: int = 0

    @property
    def topic(self) -> str:
        return f"spBv1.0/STATE/{escape_name(self.name)}"

    def hear(self, payload: bytes) -> None:
        """Take its state; an older one that comes late, and what is none, is passed by."""
        try:
            state = msgspec.json.decode(payload, type=_State)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            _log.info("the state of the primary host was not understood: %s", error)
            return
        if state.timestamp >= self._since_ms:
            self.online, self._since_ms = state.online, state.timestamp
