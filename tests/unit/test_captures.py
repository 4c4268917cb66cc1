"""Every capture gives what stands beside it: our own in the repository, real ones where the shared folder is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wattbook.codecs.detect import Decoded, decode
from wattbook.codecs.telegram import Damage
from wattbook.profiles import Library

OWN = Path(__file__).parents[1] / "captures"
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data" / "telegrams"
CAPTURES = sorted(
    path for kind in ("iec62056-21", "dsmr", "sml", "cirbus", "modbus") for path in (OWN / kind).glob("*.*")
)


@pytest.mark.parametrize(
    "path", [path for path in CAPTURES if path.suffix not in (".json", ".md")], ids=lambda path: path.name
)
def test_own_capture(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text())
    profile = Library().get(expected["profile"]) if "profile" in expected else None
    heard = decode(path.read_bytes(), profile=profile)
    assert [_shown(item) for item in heard if isinstance(item, Decoded)] == [
        {"doubt": [], **reading} for reading in expected["readings"]
    ]
    assert sum(isinstance(item, Damage) for item in heard) == expected.get("errors", 0), heard


def test_every_modbus_model_has_a_capture_with_all_its_quantities() -> None:
    for profile in Library():
        if profile.modbus is None:
            continue
        expected = json.loads((OWN / "modbus" / f"{profile.name}.json").read_text())
        told = {name for reading in expected["readings"] for name in reading["values"]}
        assert expected["profile"] == profile.name
        untold = [register for register in profile.modbus.registers if register.quantity not in told]
        # A capture may show how "not available" looks, in a register that can say so.
        assert all(one.absent or one.type.startswith("float") for one in untold), (profile.name, untold)
        assert told and told <= {register.quantity for register in profile.modbus.registers}, profile.name


def _shown(item: Decoded) -> dict[str, Any]:
    values = dict(item.measured.values)
    return {"meter": item.meter, "checked": item.checked, "values": values, "doubt": list(item.measured.doubt)}


# What SOURCES.md tells of the real captures: readings, errors, and some values of the first reading in base units.
REAL: dict[str, tuple[int, int, dict[str, float]]] = {
    "iec62056-21/lgz_e350_zmf100ac_m26_bcc.txt": (1, 0, {
        "active_energy_import": 61561289, "active_energy_import_t1": 42951721, "active_energy_import_t2": 18609568,
        "active_energy_export": 10490, "voltage_l1": 241, "voltage_l3": 242, "current_l2": 0.52, "error_bits": 0}),
    "iec62056-21/lgz_e350_zmf100ac_m27_lflf.txt": (1, 0, {"active_energy_import": 219252, "active_power": 1660}),
    "iec62056-21/iskra_mt174_0002_bcc.txt": (1, 0, {"active_energy_import": 502853, "active_energy_export": 98697318}),
    "iec62056-21/iskra_am150_t000_bcc.txt": (1, 0, {"active_energy_import": 8989442}),
    "iec62056-21/iskra_mt174_full_body_lines.txt": (1, 0, {
        "active_energy_import": 692930505, "active_power": 3920, "reactive_energy_q4": 58260488,
        "apparent_energy": 906977544, "voltage_l2": 242.1, "current_l3": 5.28}),
    "iec62056-21/lem_em4tii_table1_bcc.txt": (1, 0, {"active_energy_import": 0, "reactive_energy_export": 0}),
    "iec62056-21/lem_em4tii_programming_dialogue.hex": (1, 0, {}),
    "iec62056-21/lgz_zmd120apt_g03_nobcc.txt": (1, 0, {"active_energy_import": 1846000}),
    "iec62056-21/ace_ace3000_garbage.txt": (0, 1, {}),
    "iec62056-21/hager_ehz_push.txt": (2, 0, {"active_energy_import": 1296.3}),
    "iec62056-21/easymeter_q3da3024_modeD.txt": (1, 0, {
        "active_energy_import": 504902.3619, "active_power_l1": -115.94}),
    "iec62056-21/ebz_dd32r10eta_modeD.txt": (1, 0, {
        "active_energy_import": 3902583.59727, "active_power": -458.9, "active_power_l1": 344.88}),
    "iec62056-21/emh_lzqj_table4_fragment.txt": (0, 1, {}),
    "iec62056-21/reframed/zpa_ze110.txt": (1, 0, {
        "active_energy_import": 35753000, "active_energy_import_t1": 35749000, "active_power_demand_max": 2544}),
    "iec62056-21/reframed/iskra_me162_0033.txt": (1, 0, {"active_energy_import": 32916425}),
    "iec62056-21/reframed/easymeter_q3da1004_v302_modeD.txt": (1, 0, {"active_power": 336.45}),
    "iec62056-21/reframed/easymeter_q3da1024_v303_modeD.txt": (1, 0, {"active_energy_export": 376012.8508}),
    "dsmr-p1/telegram_v2_2.txt": (1, 0, {"active_energy_import_t1": 1001, "active_power": 1010}),
    "dsmr-p1/telegram_v3.txt": (1, 0, {"active_energy_export_t2": 12345678, "active_power": 1190}),
    "dsmr-p1/telegram_v4_2.txt": (1, 0, {"active_energy_import_t2": 1435706, "active_power_l2": 1247}),
    "dsmr-p1/telegram_v5.txt": (1, 0, {"active_energy_import_t1": 4426, "voltage_l3": 229, "current_l1": 0.48}),
    "dsmr-p1/telegram_v5_two_mbus.txt": (1, 0, {"active_energy_import_t1": 2130115, "active_power": 111}),
    "dsmr-p1/telegram_v5_eon_hu.txt": (1, 0, {
        "active_power": -2601, "reactive_energy_q3": 160487, "frequency": 50, "power_factor_l1": 4.591}),
    "dsmr-p1/telegram_fluvius_v171.txt": (1, 0, {"active_power_demand_max": 2589, "active_power_demand": 2351}),
    "dsmr-p1/telegram_fluvius_v171_alt.txt": (1, 0, {"active_power": 338, "active_energy_import_t1": 301548}),
    "dsmr-p1/telegram_sagemcom_t210_d_r.txt": (1, 0, {"reactive_power": -166, "active_energy_import": 6545766}),
    "dsmr-p1/telegram_iskra_ie.txt": (1, 0, {"active_power": -100, "active_power_l3": -10}),
    "dsmr-p1/telegram_unpadded_crc.txt": (1, 0, {}),
    "dsmr-p1/telegram_esy5q3da1004_v304.txt": (1, 0, {"active_energy_import": 32549506.1662, "active_power": 1688.21}),
    "dsmr-p1/telegram_esy5q3db1024_v304.txt": (1, 0, {"active_energy_export": 19949322.1493, "active_power": 2124.86}),
    "sml-hex/DZG_DVS-7420.2V.G2_mtr0.hex": (1, 0, {"active_energy_import": 607447.1, "active_power": 215.99}),
    "sml-hex/DZG_DVS-7420.2V.G2_mtr1_error.hex": (0, 8, {}),
    "sml-hex/DZG_DVS-7420.2V.G2_mtr2_neg.hex": (3, 0, {"active_power": -105.5}),
    # Bytes are missing all through the first 1,420 and again from 2,052 on: telegrams were lost there.
    "sml-hex/EMH-ED300L_delivery.hex": (2, 2, {"active_energy_import": 17243675.6}),
    "sml-hex/EMH_eHZ-GW8E2A500AK2.hex": (16, 0, {
        "active_energy_import_t1": 14798112.9, "active_energy_import_t2": 2012.4, "active_power": 13.8}),
    "sml-hex/EMH_eHZ-HW8E2A5L0EK2P_2.hex": (1, 0, {"active_energy_import": 13312484.9}),
    "sml-hex/EMH_eHZ-IW8E2A5L0EK2P_with_error.hex": (11, 0, {"active_energy_import": 2795692.7, "active_power": 136.7}),
    "sml-hex/EMH_eHZ361L5R.hex": (1, 0, {"active_energy_export_t1": 110340315.1}),
    "sml-hex/EMH_mME40-AE6AKF0K0.hex": (12, 0, {"active_power": 2623, "active_power_l2": 65}),
    "sml-hex/EasyMeter_Q3A_A1064V1009.hex": (4, 3, {"active_energy_import": 2941646.1614, "voltage_l2": 230.7}),
    "sml-hex/HOLLEY_DTZ541-BDBA_with_PIN.hex": (2, 0, {"active_energy_import": 2355929, "active_power": 376}),
    "sml-hex/HOLLEY_DTZ541-BDBA_without_PIN.hex": (1, 0, {"active_energy_import": 2324000}),
    "sml-hex/ISKRA_MT175_eHZ.hex": (10, 0, {"active_energy_import": 22462413.6, "active_power_l3": 29}),
    "sml-hex/ISKRA_MT631-D1A52-K0z-H01_with_PIN.hex": (5, 0, {"active_energy_import": 2043104.7, "active_power": 193}),
    "sml-hex/ISKRA_MT631-D1A52-K0z-H01_without_PIN.hex": (5, 0, {"active_energy_import": 2043000}),
    "sml-hex/ISKRA_MT691_eHZ-MS2020.hex": (18, 0, {"active_energy_import": 198927.3, "active_power": 26}),
    "sml-hex/ITRON_OpenWay-3.HZ.hex": (1, 0, {"active_energy_import": 8189594.9, "active_power": 613}),
    "sml-hex/ITRON_OpenWay-3.HZ_with_PIN.hex": (5, 0, {"active_energy_import": 25892776.1, "active_power": 542}),
    "sml-hex/dzg_dwsb20_2th_3byte.hex": (14, 2, {"active_energy_export": 2016204.9, "active_power": -788.51}),
    "sml-hex/eBZ_DD3_DD32R06DTA-SMZ1.hex": (4, 0, {"active_energy_import": 13024000}),
    "sml-hex/eBZ_DD3_DD3BZ06DTA-SMZ1_without_PIN.hex": (2, 0, {"active_energy_import_t2": 1000}),
}  # fmt: skip


def _real(name: str) -> bytes:
    if not SHARED.is_dir():
        pytest.skip(f"the captures are not there: no folder {SHARED}")
    return (SHARED / name).read_bytes()


@pytest.mark.parametrize("name", REAL)
def test_real_capture(name: str) -> None:
    readings, errors, values = REAL[name]
    heard = decode(_real(name), models=Library())
    good = [item for item in heard if isinstance(item, Decoded)]
    assert (len(good), len(heard) - len(good)) == (readings, errors), heard
    if values:
        assert values.items() <= good[0].measured.values.items()


@pytest.mark.parametrize("found", [{"profile": Library().get("dzg-dvs74")}, {"models": Library()}])
def test_the_profile_mends_the_sign_of_the_dzg_meter(found: dict[str, Any]) -> None:
    (item,) = decode(_real("sml-hex/DZG_DVS-7412.2_jmberg.hex"), **found)
    assert isinstance(item, Decoded)
    assert item.measured.values == {
        "active_energy_import": 5430157.7,
        "active_energy_export": 26244572.6,
        "active_power": 356.24,
    }


def test_all_real_captures_are_in_the_table() -> None:
    _real("SOURCES.md")
    names = {str(path.relative_to(SHARED)) for path in SHARED.glob("*/**/*.*")}
    assert names - set(REAL) == {"sml-hex/DZG_DVS-7412.2_jmberg.hex"}
