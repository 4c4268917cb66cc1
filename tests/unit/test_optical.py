"""What the driver of an optical meter makes of a readout without its check character."""

from __future__ import annotations

from wattbook.codecs.conversation import Receive
from wattbook.codecs.iec62056_21 import encode_block, encode_identification
from wattbook.codecs.measured import Measured
from wattbook.codecs.obis import DataSet
from wattbook.drivers.optical import OpticalMeter
from wattbook.profiles import Library

LINE = encode_identification("ZPA4ZE110.v30_009")


def read(meter: OpticalMeter, energy_kwh: str, *, checked: bool) -> Measured:
    """Play one readout."""
    block = encode_block([DataSet("1.8.0", energy_kwh, "kWh")])
    answers = iter([LINE, block if checked else block[:-2]])
    conversation = meter.conversation(1.0)
    try:
        step = next(conversation)
        while True:
            step = conversation.send(next(answers) if isinstance(step, Receive) else b"")
    except StopIteration as end:
        assert isinstance(end.value, Measured)
        return end.value


def test_a_readout_says_whether_its_check_character_came() -> None:
    meter = OpticalMeter(Library().get("zpa-two-tariff"))
    for checked in (True, False):
        measured = read(meter, "0025409.587", checked=checked)
        assert measured.checked is checked
        assert measured.values["active_energy_import"] == 25_409_587
