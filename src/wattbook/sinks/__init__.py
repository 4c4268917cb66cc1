"""Foreign systems that readings go to: one module each, none knows another."""

from wattbook.sinks.registry import KINDS, settings_class
from wattbook.sinks.sink import KeepsPosition, Rejected, Sink, SinkSettings, Written

__all__ = ["KINDS", "KeepsPosition", "Rejected", "Sink", "SinkSettings", "Written", "settings_class"]
