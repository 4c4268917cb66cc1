"""What the makers' documents say of the Modbus models, typed from the documents and from no profile.

A line is `quantity addresses type factor [marks]`. `l*` stands for l1 l2 l3 and `l**` for l12 l23 l31, one address
each. The factor leads to the base unit (V, A, W, Wh ...). Marks: `?` the documents are not sure of it, or do not tell;
`eN` it counts in the power of ten at N; `rN/M` beside it, at N, stands what is left, M of them to one; `4q` four
quadrants. Numbers are as printed: `base` above the wire.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Facts:
    """One model. `serial` ends in `?` where the documents do not tell it (all), or not all of it."""

    rows: str
    function: int
    serial: str
    sure: bool
    order: str = "high"  # of words
    base: int = 0
    absent: dict[str, int] = field(default_factory=dict)  # by type: the raw value for "not available"
    read_max: int = 125


PZEM_AC = """
voltage 0x0000 u16 0.1
current 0x0001 u32 0.001
active_power 0x0003 u32 0.1
active_energy_import 0x0005 u32 1
frequency 0x0007 u16 0.1
power_factor 0x0008 u16 0.01
"""
PZEM_DC = """
voltage 0x0000 u16 0.01
current 0x0001 u16 0.01
active_power 0x0002 u32 0.1
active_energy_import 0x0004 u32 1
"""
# Means of the phases are not read. The number of what follows from the rule of the two lists alone is not sure.
PM710 = """
active_energy_import 4000 u32 1000 e4108
apparent_energy 4002 u32 1000 e4108 ?
reactive_energy 4004 u32 1000 e4108
active_power 4006 i16 1000 e4107
apparent_power 4007 i16 1000 e4107
reactive_power 4008 i16 1000 e4107
power_factor 4009 s16 0.0001 ?
frequency 4013 i16 0.01
active_power_demand 4014 i16 1000 e4107 ?
active_power_demand_max 4017 i16 1000 e4107 ?
current_l* 4020 4021 4022 i16 1 e4105
current_n 4023 i16 1 e4105
voltage_l** 4030 4031 4032 i16 1 e4106 ?
voltage_l* 4033 4034 4035 i16 1 e4106
active_power_l* 4036 4037 4038 i16 1000 e4107
apparent_power_l* 4039 4040 4041 i16 1000 e4107 ?
reactive_power_l* 4042 4043 4044 i16 1000 e4107 ?
current_thd_l* 4045 4046 4047 i16 0.1
voltage_thd_l* 4049 4050 4051 i16 0.1
voltage_thd_l** 4052 4053 4054 i16 0.1 ?
operating_time 4110 u16 3600 r4111/60
error_bits 4112 u16 1
"""
PM710_FLOAT = """
active_energy_import 1000 f32 1000
apparent_energy 1002 f32 1000
reactive_energy 1004 f32 1000
active_power 1006 f32 1000
apparent_power 1008 f32 1000
reactive_power 1010 f32 1000
power_factor 1012 f32 1
frequency 1020 f32 1
active_power_demand 1022 f32 1000
active_power_demand_max 1028 f32 1000
current_l* 1034 1036 1038 f32 1
current_n 1040 f32 1
voltage_l** 1054 1056 1058 f32 1
voltage_l* 1060 1062 1064 f32 1
active_power_l* 1066 1068 1070 f32 1000
apparent_power_l* 1072 1074 1076 f32 1000
reactive_power_l* 1078 1080 1082 f32 1000
current_thd_l* 1084 1086 1088 f32 1
voltage_thd_l* 1092 1094 1096 f32 1
voltage_thd_l** 1098 1100 1102 f32 1
operating_time 4110 u16 3600 r4111/60
error_bits 4112 u16 1
"""
PM500 = """
current_l* 0x0300 0x0302 0x0304 i32 0.001
current_n 0x0306 i32 0.001
voltage_l** 0x0308 0x030A 0x030C i32 0.01
voltage_l* 0x030E 0x0310 0x0312 i32 0.01
frequency 0x0314 i32 0.01
active_power 0x0316 i32 10
reactive_power 0x0318 i32 10
apparent_power 0x031A i32 10
active_power_l* 0x031E 0x0320 0x0322 i32 10
reactive_power_l* 0x0324 0x0326 0x0328 i32 10
apparent_power_l* 0x032A 0x032C 0x032E i32 10
operating_time 0x0356 i32 36
active_energy_import 0x0358 i32 1000
reactive_energy_import 0x035A i32 1000
apparent_energy 0x035C i32 1000
active_energy_export 0x035E i32 1000
reactive_energy_export 0x0360 i32 1000
power_factor 0x0366 i32 0.001
power_factor_l* 0x0368 0x036A 0x036C i32 0.001
current_thd_l* 0x0900 0x0901 0x0902 u16 0.1
current_thd_n 0x0903 u16 0.1
voltage_thd_l** 0x0904 0x0905 0x0906 u16 0.1
voltage_thd_l* 0x0907 0x0908 0x0909 u16 0.1
"""
PM5XXX = """
current_l* 3000 3002 3004 f32 1
voltage_l** 3020 3022 3024 f32 1
voltage_l* 3028 3030 3032 f32 1
active_power_l* 3054 3056 3058 f32 1000
active_power 3060 f32 1000
reactive_power 3068 f32 1000
apparent_power 3076 f32 1000
power_factor 3084 f32 1 4q
frequency 3110 f32 1
temperature 3132 f32 1
active_energy_import 3204 i64 1
active_energy_export 3208 i64 1
reactive_energy_import 3220 i64 1
reactive_energy_export 3224 i64 1
active_power_demand 3766 f32 1000
active_power_demand_max 3770 f32 1000
current_thd_l* 21300 21302 21304 f32 1
voltage_thd_l** 21322 21324 21326 f32 1
voltage_thd_l* 21330 21332 21334 f32 1
"""
# In wire addresses, as mbmd has them; the rest is of the list of the PM5000.
IEM3000 = """
current_l1 0x0BB7 f32 1
current_l2 3001 f32 1 ?
current_l3 3003 f32 1 ?
voltage_l** 3019 3021 3023 f32 1 ?
voltage_l1 0x0BD3 f32 1
voltage_l2 3029 f32 1 ?
voltage_l3 3031 f32 1 ?
active_power_l* 0x0BED 0x0BEF 0x0BF1 f32 1000
active_power 0x0BF3 f32 1000
reactive_power 0x0BFB f32 1000
apparent_power 0x0C03 f32 1000
power_factor 3083 f32 1 4q ?
frequency 0x0C25 f32 1
active_energy_import 0x0C83 i64 1
active_energy_export 0x0C87 i64 1
reactive_energy_import 0x0C93 i64 1
reactive_energy_export 0x0C97 i64 1
active_energy_import_l* 0x0DBD 0x0DC1 0x0DC5 i64 1
"""
CVM_MINI = """
voltage_l* 0x00 0x0A 0x14 i32 0.1
current_l* 0x02 0x0C 0x16 i32 0.001
active_power_l* 0x04 0x0E 0x18 i32 1
reactive_power_l* 0x06 0x10 0x1A i32 1
power_factor_l* 0x08 0x12 0x1C i32 0.01
active_power 0x1E i32 1 ?
reactive_power_q1 0x20 i32 1 ?
reactive_power_q4 0x22 i32 1 ?
power_factor 0x26 i32 0.01 ?
frequency 0x28 i32 0.1 ?
voltage_l** 0x2A 0x2C 0x2E i32 0.1 ?
voltage_thd_l* 0x30 0x32 0x34 i32 0.1 ?
current_thd_l* 0x36 0x38 0x3A i32 0.1 ?
active_energy_import 0x3C i32 1
reactive_energy_import 0x3E i32 1
reactive_energy_export 0x40 i32 1
apparent_power 0x42 i32 1 ?
apparent_power_l* 0x4A 0x4C 0x4E i32 1
temperature 0x50 i32 0.1
"""
# kWh in two registers, Wh in the next; tariffs from 500, 518, 530 (hexadecimal), but only the first one's list is told.
CVMK2 = "".join(
    f"{name}_t{tariff} {start + at} u32 1000 r{start + at + 2}/1000 {'?' if tariff > 1 and at else ''}\n"
    for tariff, start in ((1, 0x500), (2, 0x518), (3, 0x530))
    for name, at in (
        ("active_energy_import", 0x0),
        ("reactive_energy_import", 0x3),  # inductive
        ("reactive_energy_export", 0x6),  # capacitive
        ("apparent_energy", 0x9),
        ("active_energy_export", 0xC),  # generated
    )
)
DAS_8000 = "".join(f"analogue_c{number} {number} u16 0.1 ?\n" for number in range(1, 9))

_MIKRO = """
active_energy_import 4000 i64 1 {680}
apparent_energy 4004 i64 1 {680}
reactive_energy 4008 i64 1 {680}
active_power 4012 i32 1 {rx,680}
apparent_power 4014 i32 1 {rx,680}
reactive_power 4016 i32 1 {rx,680}
power_factor 4018 i16 0.001 {rx,680}
frequency 4019 u16 0.01 {rx,380}
current_l* 4020 4022 4024 u32 0.001 {rx,680,380}
current_n 4026 u32 0.001 {rx,680,380}
voltage_l** 4028 4030 4032 u32 0.1 {rx,680,380}
voltage_l* 4034 4036 4038 u32 0.1 {rx,680,380}
active_power_l* 4040 4042 4044 i32 1 {680}
apparent_power_l* 4046 4048 4050 i32 1 {680}
reactive_power_l* 4052 4054 4056 i32 1 {680}
current_l*_demand 4058 4060 4062 u32 0.001 {}
active_power_demand 4064 i32 1 {680}
reactive_power_demand 4066 i32 1 {680}
apparent_power_demand 4068 i32 1 {680}
current_thd_l* 4082 4083 4084 u16 0.1 {}
voltage_thd_l* 4085 4086 4087 u16 0.1 {}
"""
_RX380_RECORDS = """
voltage_l**_max 4124 4128 4132 u32 0.1
voltage_l**_min 4212 4216 4220 u32 0.1
"""


def _mikro(model: str) -> str:
    """The list of the family, with `?` where no document of this model has the row (in braces: whose have it)."""
    lines = []
    for line in _MIKRO.split("\n")[1:-1]:
        row, whose = line[:-1].split("{")
        lines.append(row if model in whose.split(",") else row + "?")
    return "\n".join(lines)


_SDM_SINGLE = """
voltage 0x0000 f32 1
current 0x0006 f32 1
active_power 0x000C f32 1
apparent_power 0x0012 f32 1
reactive_power 0x0018 f32 1
power_factor 0x001E f32 1
frequency 0x0046 f32 1
active_energy_import 0x0048 f32 1000
active_energy_export 0x004A f32 1000
reactive_energy_import 0x004C f32 1000
reactive_energy_export 0x004E f32 1000
reactive_energy 0x0158 f32 1000
"""
_SDM_ANGLE = "phase_angle 0x0024 f32 1\n"
SDM630 = """
voltage_l* 0x0000 0x0002 0x0004 f32 1
current_l* 0x0006 0x0008 0x000A f32 1
active_power_l* 0x000C 0x000E 0x0010 f32 1
apparent_power_l* 0x0012 0x0014 0x0016 f32 1
reactive_power_l* 0x0018 0x001A 0x001C f32 1
power_factor_l* 0x001E 0x0020 0x0022 f32 1
voltage_thd_l* 0x00EA 0x00EC 0x00EE f32 1 ?
active_energy_import_l* 0x015A 0x015C 0x015E f32 1000
active_energy_export_l* 0x0160 0x0162 0x0164 f32 1000
reactive_energy_import_l* 0x016C 0x016E 0x0170 f32 1000
reactive_energy_export_l* 0x0172 0x0174 0x0176 f32 1000
reactive_energy_l* 0x0178 0x017A 0x017C f32 1000
active_power 0x0034 f32 1
apparent_power 0x0038 f32 1
reactive_power 0x003C f32 1
power_factor 0x003E f32 1
phase_angle 0x0042 f32 1
frequency 0x0046 f32 1
active_energy_import 0x0048 f32 1000
active_energy_export 0x004A f32 1000
reactive_energy_import 0x004C f32 1000
reactive_energy_export 0x004E f32 1000
voltage_thd 0x00F8 f32 1 ?
reactive_energy 0x0158 f32 1000
"""
_EM_ALL = """
voltage_l* 0x00 0x02 0x04 i32 0.1
voltage_l** 0x06 0x08 0x0A i32 0.1
current_l* 0x0C 0x0E 0x10 i32 0.001
active_power_l* 0x12 0x14 0x16 i32 0.1
active_power 0x28 i32 0.1
"""
_EM_DIN = """
apparent_power_l* 0x18 0x1A 0x1C i32 0.1
reactive_power_l* 0x1E 0x20 0x22 i32 0.1
voltage 0x24 i32 0.1
apparent_power 0x2A i32 0.1
reactive_power 0x2C i32 0.1
"""
_EM_OTHERS = """
power_factor_l* 0x2E 0x2F 0x30 i16 0.001
power_factor 0x31 i16 0.001
frequency 0x33 i16 0.1
active_energy_import 0x34 i32 100
"""
_EM_ENERGIES = """
active_energy_import_l* 0x40 0x42 0x44 i32 100
active_energy_export 0x4E i32 100
"""
_EM24 = """
power_factor_l* 0x32 0x33 0x34 i16 0.001
power_factor 0x35 i16 0.001
frequency 0x37 i16 0.1
active_energy_import 0x42 i32 100
active_energy_import_l* 0x46 0x48 0x4A i32 100
active_energy_export 0x5C i32 100
"""
ABB = """
voltage_l* 0x5B00 0x5B02 0x5B04 u32 0.1
current_l* 0x5B0C 0x5B0E 0x5B10 u32 0.01
active_power 0x5B14 i32 0.01
active_power_l* 0x5B16 0x5B18 0x5B1A i32 0.01
frequency 0x5B2C u16 0.01
power_factor 0x5B3A i16 0.001
power_factor_l* 0x5B3B 0x5B3C 0x5B3D i16 0.001
active_energy_import 0x5000 u64 10
active_energy_export 0x5004 u64 10
active_energy_import_l* 0x5460 0x5464 0x5468 u64 10
active_energy_export_l* 0x546C 0x5470 0x5474 u64 10
"""
UMG_604 = """
voltage_l* 1317 1319 1321 f32 1
current_l* 1325 1327 1329 f32 1
active_power_l* 1333 1335 1337 f32 1
reactive_power_l* 1341 1343 1345 f32 1
active_power 1369 f32 1
reactive_power 1371 f32 1
frequency 1439 f32 1
active_energy_import 9851 f32 1
active_energy_export 9863 f32 1
"""
JANITZA_B = """
voltage_l* 19000 19002 19004 f32 1
current_l* 19012 19014 19016 f32 1
active_power_l* 19020 19022 19024 f32 1
active_power 19026 f32 1
power_factor_l* 19044 19046 19048 f32 1
frequency 19050 f32 1
active_energy_import_l* 19062 19064 19066 f32 1
active_energy_import 19068 f32 1
active_energy_export_l* 19070 19072 19074 f32 1
active_energy_export 19076 f32 1
"""
ADW300 = """
voltage_l* 20 21 22 u16 0.1
current_l* 26 27 28 u16 0.01
active_power_l* 30 32 34 i32 1
active_power 36 i32 1
active_energy_import 62 i32 10
active_energy_export 64 i32 10
"""
ADL3000 = """
active_energy_import 0x000A u32 10
active_energy_export 0x0014 u32 10
voltage_l* 97 98 99 u16 0.1 ?
current_l* 100 101 102 u16 0.01 ?
active_power_l* 103 104 105 i16 1 ?
active_power 106 i16 1 ?
reactive_power_l* 107 108 109 i16 1 ?
reactive_power 110 i16 1 ?
apparent_power_l* 111 112 113 i16 1 ?
apparent_power 114 i16 1 ?
power_factor_l* 115 116 117 i16 0.001 ?
power_factor 118 i16 0.001 ?
frequency 119 u16 0.01 ?
"""
SHELLY = """
current_n 1007 f32 1
current 1011 f32 1
active_power 1013 f32 1
apparent_power 1015 f32 1
voltage_l* 1020 1040 1060 f32 1
current_l* 1022 1042 1062 f32 1
active_power_l* 1024 1044 1064 f32 1
apparent_power_l* 1026 1046 1066 f32 1
power_factor_l* 1028 1048 1068 f32 1
frequency_l* 1033 1053 1073 f32 1
active_energy_import 1162 f32 1
active_energy_export 1164 f32 1
active_energy_import_l* 1182 1202 1222 f32 1
active_energy_export_l* 1184 1204 1224 f32 1
"""
# The list names one address of each: whether of a phase or of all, it does not tell.
DTSU666 = """
voltage_l1 0x2006 f32 0.1 ?
current_l1 0x200C f32 0.001 ?
active_power 0x2012 f32 0.1 ?
reactive_power 0x201A f32 0.1 ?
power_factor 0x202A f32 0.001 ?
frequency 0x2044 f32 0.01
active_energy_import 0x101E f32 1000
active_energy_export 0x1028 f32 1000
"""
PRO380 = """
voltage_l1 0x5002 f32 1 ?
frequency 0x5008 f32 1
current_l1 0x500C f32 1 ?
active_power 0x5012 f32 1000 ?
active_energy_import 0x600C f32 1000
active_energy_export 0x6018 f32 1000
"""
WE_504 = """
voltage 0 u16 0.1
current 1 u16 0.1
frequency 2 u16 0.1
active_power 3 u16 1 ?
reactive_power 4 u16 1 ?
apparent_power 5 u16 1
power_factor 6 u16 0.001 ?
active_energy_import 7 u32 1 ?
"""
# Offsets from the id of the block (models 201 to 204, 211 to 214). Which energy is import is not sure.
SUNSPEC = """
current 2 i16 1 e6
current_l* 3 4 5 i16 1 e6
voltage 7 i16 1 e15
voltage_l* 8 9 10 i16 1 e15
frequency 16 i16 1 e17
active_power 18 i16 1 e22
active_power_l* 19 20 21 i16 1 e22
apparent_power 23 i16 1 e27
reactive_power 28 i16 1 e32
power_factor 33 i16 0.01 e37
active_energy_export 38 u32 1 e54 ?
active_energy_export_l1 40 u32 1 e54 ?
active_energy_import 46 u32 1 e54 ?
active_energy_import_l1 48 u32 1 e54 ?
"""
SUNSPEC_FLOAT = """
current 2 f32 1
current_l* 4 6 8 f32 1
voltage 10 f32 1
voltage_l* 12 14 16 f32 1
frequency 26 f32 1
active_power 28 f32 1
active_power_l* 30 32 34 f32 1
apparent_power 36 f32 1
reactive_power 44 f32 1
power_factor 52 f32 1
active_energy_export 60 f32 1 ?
active_energy_export_l1 62 f32 1 ?
active_energy_import 68 f32 1 ?
active_energy_import_l1 70 f32 1 ?
"""

_EM = {"i32": 0x7FFFFFFF}
_ABB = {"u16": 0xFFFF, "u32": 0xFFFFFFFF, "u64": 0xFFFFFFFFFFFFFFFF, "i16": 0x7FFF, "i32": 0x7FFFFFFF}

MODELS: dict[str, Facts] = {
    "pzem-016": Facts(PZEM_AC, 4, "9600 8N1", sure=True, order="low", read_max=10),
    "pzem-004t-v3": Facts(PZEM_AC, 4, "9600 8N1", sure=True, order="low", read_max=10),
    "pzem-017": Facts(PZEM_DC, 4, "9600 8N2", sure=True, order="low", read_max=8),
    "pm710": Facts(PM710, 3, "9600 8N1?", sure=False, base=1),
    "pm710-float": Facts(PM710_FLOAT, 3, "9600 8N1?", sure=False, base=1),
    "pm500": Facts(PM500, 3, "19200 8N1?", sure=False),
    "pm5xxx": Facts(PM5XXX, 3, "19200 8E1?", sure=False, base=1),
    "iem3000": Facts(IEM3000, 3, "19200 8E1?", sure=False),
    "cvm-mini": Facts(CVM_MINI, 4, "9600 8N1", sure=True, read_max=40),
    "cvmk2": Facts(CVMK2, 4, "9600 8N1?", sure=False, read_max=40),
    "das-8000": Facts(DAS_8000, 4, "9600 8N1?", sure=False),
    "rx380": Facts(_mikro("rx") + _RX380_RECORDS, 4, "19200 8E1", sure=True),
    "dpm380": Facts(_mikro("380"), 3, "19200 8E1?", sure=False),
    "dpm680": Facts(_mikro("680"), 3, "19200 8E1?", sure=False),
    "sdm120": Facts(_SDM_SINGLE, 4, "2400 8N1?", sure=False),
    "sdm220": Facts(_SDM_SINGLE + _SDM_ANGLE, 4, "9600 8N1?", sure=False),
    "sdm230": Facts(_SDM_SINGLE + _SDM_ANGLE, 4, "9600 8N1?", sure=False),
    "sdm630": Facts(SDM630, 4, "9600 8N1?", sure=False),
    "em21": Facts(
        _EM_ALL + _EM_DIN + _EM_OTHERS + "reactive_energy_import 0x36 i32 100", 4, "9600 8N1?",
        sure=False, order="low", absent=_EM,
    ),
    "em24": Facts(_EM_ALL + _EM_DIN + _EM24, 4, "9600 8N1?", sure=False, order="low", absent=_EM),
    "em24-e1": Facts(_EM_ALL + _EM_OTHERS + _EM_ENERGIES, 4, "9600 8N1?", sure=False, order="low", absent=_EM),
    "em340": Facts(_EM_ALL + _EM_OTHERS + _EM_ENERGIES, 4, "9600 8N1?", sure=False, order="low", absent=_EM),
    "abb-b-series": Facts(ABB, 3, "9600 8N1?", sure=False, absent=_ABB),
    "umg-604": Facts(UMG_604, 3, "9600 8N1?", sure=False),
    "janitza-b-series": Facts(JANITZA_B, 3, "9600 8N1?", sure=False),
    "adw300": Facts(ADW300, 3, "9600 8N1?", sure=False),
    "adl3000": Facts(ADL3000, 3, "9600 8N1?", sure=False),
    "shelly-pro-3em": Facts(SHELLY, 4, "9600 8N1", sure=True, order="low"),  # Modbus TCP: serial settings mean nothing
    "dtsu666": Facts(DTSU666, 3, "9600 8N1?", sure=False),
    "pro380": Facts(PRO380, 3, "9600 8N1?", sure=False),
    "we-504": Facts(WE_504, 3, "9600 8N1?", sure=False),
    "sunspec-meter": Facts(SUNSPEC, 3, "9600 8N1?", sure=False, absent={"i16": 0x8000, "u32": 0}),
    "sunspec-meter-float": Facts(SUNSPEC_FLOAT, 3, "9600 8N1?", sure=False),
}  # fmt: skip

IDENTITIES: dict[str, tuple[str, dict[tuple[int, int], set[int]], tuple[int, int, int] | None]] = {
    "pzem-016": ("", {(4, 0x0009): {0, 0xFFFF}}, None),
    "pzem-004t-v3": ("", {(4, 0x0009): {0, 0xFFFF}}, None),
    "pzem-017": ("", {(4, 0x0006): {0, 0xFFFF}, (4, 0x0007): {0, 0xFFFF}, (3, 0x0003): {0, 1, 2, 3}}, None),
    "pm710": ("PM710 Power Meter", {}, (3, 7002 - 1, 2)),
    "pm710-float": ("PM710 Power Meter", {}, (3, 7002 - 1, 2)),
    "das-8000": ("DAS-8000", {}, None),
    "em21": ("", {(4, 0x000B): {57, 58}}, None),
}
"""The text of function 17; by (function, address) the words a register may hold; where the serial number stands."""

_PZEM = {"reset-energy": (0x42, None, None), "set-address": (6, 0x0002, None)}
COMMANDS: dict[str, dict[str, tuple[int, int | None, int | None]]] = {
    "pzem-016": _PZEM,
    "pzem-004t-v3": _PZEM,
    "pzem-017": _PZEM,
}
"""Function, address and word. Factory calibration (0x41) must never be offered."""

SUNSPEC_BLOCKS: dict[str, tuple[tuple[int, ...], set[int], int]] = {
    "sunspec-meter": ((40000, 50000, 0), {201, 202, 203, 204}, 105),
    "sunspec-meter-float": ((40000, 50000, 0), {211, 212, 213, 214}, 124),
}
"""Where the marker may stand, the ids of the blocks, their length without id and length."""
