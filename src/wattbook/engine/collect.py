"""Collect: ask the meters of a line in turn, hand over what they say, and tell once who goes and who returns.

`SerialLine` runs in threads, one per port; `TcpLine` (Modbus TCP) in the event loop. Both keep their books with
`MeterRecord` and decide with `schedule`.
"""

from __future__ import annotations

from wattbook.engine.record import LineTask, MeterTask
from wattbook.engine.serial_line import SerialLine
from wattbook.engine.tcp_line import TcpLine
from wattbook.model.errors import ConfigError
from wattbook.transports.ports import is_modbus_tcp

__all__ = ["LineTask", "MeterTask", "SerialLine", "TcpLine", "make_line"]


def make_line(task: LineTask) -> SerialLine | TcpLine:
    """The line of a task: `tcp://` and `tls://` are Modbus TCP unless its meters speak otherwise; else serial."""
    modbus = [meter.profile.protocol == "modbus" for meter in task.meters]
    if not any(map(is_modbus_tcp, task.ports)) or (modbus and not any(modbus)):
        return SerialLine(task)
    if not all(modbus) or len(task.ports) > 1:
        raise ConfigError("a tcp:// line has one port and either Modbus meters or one optical meter", place=task.name)
    return TcpLine(task)
