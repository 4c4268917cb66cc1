"""Which line of ours holds a serial port, and whether others can be asked there between its polls."""

from __future__ import annotations

import os
from functools import partial

from wattbook.config import Config, LineSettings
from wattbook.engine.lines import Lines
from wattbook.engine.serial_line import SerialLine
from wattbook.engine.take_turns import SharedLine
from wattbook.model import ConfigError
from wattbook.transports.ports import AUTO, scheme_of


def line_at(config: Config, port: str) -> str:
    """The line of a configuration that holds a serial port; "" = none does."""
    if scheme_of(port):
        return ""
    real = os.path.realpath(port)
    for line in config.lines:
        held = [each for each in (line.port, *line.ports) if each]
        if AUTO in held or real in {os.path.realpath(each) for each in held if not scheme_of(each)}:
            return line.name
    return ""


def shared_line(config: Config, lines: Lines, port: str) -> SharedLine | None:
    """The line that holds a serial port, to be asked between its polls; None: the port is free.

    Raises ConfigError where nobody else can be asked: something is listened to, or it is not Modbus.
    """
    name = line_at(config, port)
    line = next((line for line in config.lines if line.name == name), None)
    if line is None:
        return None
    if any(config.profiles[meter.name].protocol != "modbus" for meter in config.meters_of(line)):
        raise ConfigError(f'port: the daemon reads it as line "{name}", where no Modbus meter can be asked')
    asked = lines.asked(name)
    if not isinstance(asked, SerialLine) or not asked.holds(port):
        return None
    submit = partial(asked.submit, port=port, guest=True)
    return SharedLine(name, config.serial_of(line), frozenset(units_of(config, line)), submit)


def units_of(config: Config, line: LineSettings) -> dict[int, str]:
    """Unit -> meter of a line of Modbus meters."""
    units: dict[int, str] = {}
    for meter in config.meters_of(line):
        modbus = config.profiles[meter.name].modbus
        assert modbus is not None
        units[modbus.address_default if meter.address is None else int(meter.address)] = meter.name
    return units
