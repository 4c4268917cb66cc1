"""What the driver of an optical meter makes of a readout without its check character."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from wattbook.codecs.conversation import Receive
from wattbook.codecs.iec62056_21 import encode_block, encode_identification
from wattbook.codecs.measured import Measured
from wattbook.codecs.obis import DataSet
from wattbook.drivers.optical import OpticalMeter
from wattbook.profiles import Library

START = datetime(2026, 11, 21, tzinfo=UTC)
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


def test_an_unchecked_readout_is_held_to_the_one_before() -> None:
    meter = OpticalMeter(Library().get("zpa-two-tariff"))
    told = [("0025409.587", True), ("0095409.590", False), ("0025409.593", False), ("0095409.600", True)]
    suspects = []
    for number, (energy, checked) in enumerate(told):
        measured = read(meter, energy, checked=checked)
        assert measured.checked is checked
        suspects.append(bool(meter.doubt(START + number * timedelta(seconds=30), measured)))
    assert suspects == [False, True, False, False]  # where a check vouches, nothing is judged
