"""Foreign systems that readings go to: one module each, none knows another."""

from wattbook.sinks.registry import KINDS, make_sink, settings_class
from wattbook.sinks.sink import KeepsPosition, Rejected, Sink, SinkSettings, Written

__all__ = ["KINDS", "KeepsPosition", "Rejected", "Sink", "SinkSettings", "Written", "make_sink", "settings_class"]
