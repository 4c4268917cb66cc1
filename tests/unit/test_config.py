from pathlib import Path

import pytest

from wattbook.config import Config, Secret, examine, load, parse_duration
from wattbook.model import ConfigError
from wattbook.transports.ports import shown

GOOD = """
[site]
name = "House"
timezone = "Europe/Prague"

[[line]]
name = "rs485"
port = "/dev/ttyUSB0"
password = { env = "WATTBOOK_TEST_SECRET" }

[[meter]]
name = "main-a"
location = "house/panel/a"
line = "rs485"
model = "pzem-016"
address = 4
every = "5s"
"""


def _write(folder: Path, text: str) -> Path:
    path = folder / "wattbook.toml"
    path.write_text(text)
    return path


def _loaded(folder: Path, text: str) -> Config:
    return load(_write(folder, text))


def test_a_good_file_becomes_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    config = _loaded(tmp_path, GOOD)
    assert config.book == (tmp_path / "wattbook.db").resolve()
    assert config.every_s(config.meters[0]) == 5.0
    assert config.lines[0].serial(config.profiles["main-a"].serial).baud == 9600
    assert config.lines[0].password == "hush" and "hush" not in repr(config)
    assert config.api.listen == "127.0.0.1:8600"


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (("pzem-016", "pzem16"), 15, 'no model is called "pzem16" (did you mean "pzem-016"'),
        (('line = "rs485"', 'line = "rs458"'), 14, 'no line is called "rs458" (did you mean "rs485"'),
        (("every =", "evry ="), 17, 'unknown key "evry" (did you mean "every"'),
        (('"5s"', '"5"'), 17, "a duration is a text like"),
        (("address = 4", "address = 248"), 16, "takes addresses up to 247"),
        (("address = 4", 'address = "four"'), 16, "a Modbus address is a number"),
        (("Europe/Prague", "Europe/Pragu"), 4, 'did you mean "Europe/Prague"'),
        (('"/dev/ttyUSB0"', '"/dev/ttyUSB0"\nparity = "evn"'), 9, 'did you mean "even"'),
        (("[site]", "[sight]"), 2, 'unknown table [sight] (did you mean "site"'),
        (("[site]", 'book = "a.db"\n[site]'), 2, '"book" stands in no table; it belongs into "site"'),
        (("[site]", 'timezon = "UTC"\n[site]'), 2, 'none has such a key (did you mean "timezone"'),
        (('port = "/dev/ttyUSB0"', ""), 6, 'it needs either "port" or "ports"'),
        (("WATTBOOK_TEST_SECRET", "WATTBOOK_NO_SUCH"), 9, "no variable WATTBOOK_NO_SUCH"),
        (('name = "main-a"', 'name = "main/a"'), 12, 'without "/"'),
        (("[[line]]", "[[line]"), 6, "not TOML"),
    ],
)
def test_each_problem_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], place: int, says: str
) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    _, problems = examine(_write(tmp_path, GOOD.replace(*change)))
    assert [problem.line for problem in problems] == [place]
    assert says in problems[0].message


@pytest.mark.parametrize("port", ["tcp://10.0.0.9", "tls://10.0.0.9"])
def test_a_unit_of_modbus_tcp_may_be_any_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    text = GOOD.replace("/dev/ttyUSB0", port)
    assert examine(_write(tmp_path, text.replace("address = 4", "address = 255")))[1] == []
    _, (problem,) = examine(_write(tmp_path, text.replace("address = 4", "address = 256")))
    assert "takes addresses up to 255, not 256" in problem.message


@pytest.mark.parametrize(
    ("table", "places", "says"),
    [
        ('[simulate]\nseed = "x"\nsed = 1\n', [20, 21], 'unknown key "sed" (did you mean "seed"?)'),
        ('[[simulate.fault]]\ntarget = "main-b"\n', [20], 'line is called "main-b" (did you mean "main-a"?)'),
        ('[[simulate.fault]]\ntarget = "zz"\n', [20], 'no simulated meter or line is called "zz"'),
        (
            '[[simulate.fault]]\ntarget = "rs485"\n[[simulate.fault]]\ntarget = "main-a"\nsilnt = true\n',
            [23],
            '[[simulate.fault]] 2: unknown key "silnt" (did you mean "silent"?)',
        ),
        ("[[simulate.fault]]\nsilent = 1\n", [19, 20], '"silent" must be bool'),
        ('[[simulate.fault]]\ntarget = "main-a"\ndamage_share = 7\n', [19], "damage_share must be from 0 to 1"),
        ("[simulate]\nfault = 1\n", [20], '"fault" must be list'),
        ("[simulate]\nfault = [1]\n", [20], '"fault" must be dict'),
        ("[simulte]\nseed = 1\n", [19], 'unknown table [simulte] (did you mean "simulate"?)'),
    ],
)
def test_each_problem_of_the_simulation_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, places: list[int], says: str
) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    _, problems = examine(_write(tmp_path, GOOD + "\n" + table))
    assert [problem.line for problem in problems] == places
    assert says in problems[-1].message


def test_all_problems_are_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    second = '[[meter]]\nname = "main-a"\nmodel = "nix"\nline = "rs485"\n[api]\nlegacy = ["energy"]\n'
    with pytest.raises(ConfigError) as raised:
        _loaded(tmp_path, GOOD + second)
    assert [line.split(":")[1] for line in str(raised.value).splitlines()] == ["19", "20", "23"]


def test_a_wrong_shape_does_not_hide_a_wrong_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTBOOK_TEST_SECRET", "hush")
    wrong = (
        GOOD.replace('every = "5s"', 'evry = "5s"').replace("pzem-016", "pzem-017x")
        + '[api]\nlisten = 7\nallow = ["x"]\n'
    )
    _, problems = examine(_write(tmp_path, wrong))
    assert [problem.line for problem in problems] == [15, 17, 19, 20]
    assert "must be a text, not 7" in problems[2].message


def test_what_speaks_first_cannot_share_a_line_with_what_is_asked(tmp_path: Path) -> None:
    text = GOOD.replace('password = { env = "WATTBOOK_TEST_SECRET" }', "")
    _, problems = examine(_write(tmp_path, text + '[[meter]]\nname = "s"\nmodel = "sml"\nline = "rs485"\n'))
    assert "each kind needs its own line" in problems[0].message


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "nix.toml")


def test_a_wrong_network_is_told_with_its_line(tmp_path: Path) -> None:
    _, problems = examine(_write(tmp_path, '[api]\nallow = ["192.168.0.1/24"]\n'))
    assert problems[0].line == 2 and "192.168.0.0/24" in problems[0].message


@pytest.mark.parametrize(("text", "seconds"), [("5s", 5), ("15min", 900), ("1h", 3600), ("200ms", 0.2), ("0s", 0)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["5", "s", "-5s", "5 weeks", 5, None])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="a duration"):
        parse_duration(text)


LINES = """
[[line]]
name = "a"
port = "{port}"

[[meter]]
name = "x"
line = "a"
model = "{model}"

[[meter]]
name = "y"
line = "a"
model = "{model}"
address = {address}
"""


@pytest.mark.parametrize(
    ("port", "model", "address", "place", "says"),
    [
        ("tpc://h:502", "pzem-016", 2, 4, 'no line begins with "tpc://" (did you mean "tcp"?)'),
        ("tcp://h:99999", "pzem-016", 2, 4, "the port must be a number"),
        ("rtu+tcp://h", "pzem-016", 2, 4, "an address needs a host and a port"),
        ("mqtt://h", "sml", '"b"', 4, "not a broker"),
        ("tls://h", "sml", '"b"', 4, "tls:// is for Modbus meters"),
        ("/dev/ttyUSB0", "json-mqtt", '"b"', 4, "the address of a broker"),
        ("auto", "sml", '"b"', 4, "are heard on one port"),
        ("/dev/ttyUSB0", "pzem-016", 1, 3, 'meters "x" and "y" have the address 1'),
        ("/dev/ttyUSB0", "sml", '""', 3, 'meters "x" and "y" have no address'),
    ],
)
def test_a_port_that_does_not_fit_is_told(
    tmp_path: Path, port: str, model: str, address: object, place: int, says: str
) -> None:
    text = LINES.format(port=port, model=model, address=address)
    _, problems = examine(_write(tmp_path, text))
    found = [problem for problem in problems if says in problem.message]
    assert [problem.line for problem in found] in ([place], [place] * 2)


@pytest.mark.parametrize(("topic", "said"), [("meters/{address}", 1), ("meters/all", 0)])
def test_only_a_topic_with_an_address_needs_one(tmp_path: Path, topic: str, said: int) -> None:
    model = '[model]\nname = "own"\ntitle = "Own"\nvendor = "own"\nprotocol = "mqtt"\nsource = "own"\nverified = true\n'
    field = '[[field]]\nquantity = "voltage"\npath = "0"\n'
    (tmp_path / "models").mkdir()
    (tmp_path / "models/own.toml").write_text(f'{model}[mqtt]\ntopic = "{topic}"\n{field}', encoding="utf-8")
    line = '[site]\nprofiles = "models"\n[[line]]\nname = "b"\nport = "mqtt://h"\n'
    _, problems = examine(_write(tmp_path, f'{line}[[meter]]\nname = "m"\nmodel = "own"\nline = "b"\n'))
    assert [problem.message for problem in problems] == (
        ['meter "m": an MQTT meter needs the address that stands in its topic'] * said
    )


def test_a_line_without_meters_needs_no_port_that_modbus_has(tmp_path: Path) -> None:
    for port, said in (("tcp://gateway", 0), ("tls://gateway", 0), ("rtu+tcp://gateway", 1), ("tcp://", 1)):
        _, problems = examine(_write(tmp_path, f'[[line]]\nname = "a"\nport = "{port}"\n'))
        assert len(problems) == said, port


def test_certificates_that_are_not_there_or_of_no_use_are_told(tmp_path: Path) -> None:
    line = '[[line]]\nname = "a"\nport = "{port}"\nca = "nix.crt"\nkey = "nix.key"\n'
    _, problems = examine(_write(tmp_path, line.format(port="tls://gateway")))
    assert [problem.line for problem in problems] == [4, 5, 5]
    assert "nix.crt: no such file" in problems[0].message and 'the "certificate"' in problems[2].message
    _, problems = examine(_write(tmp_path, line.format(port="tcp://gateway:502")))
    assert all("for tls:// (Modbus) and mqtts:// alone" in problem.message for problem in problems[:2])


def test_two_lines_may_share_a_gateway(tmp_path: Path) -> None:
    text = LINES.format(port="tcp://gateway", model="pzem-016", address=2)
    _, problems = examine(
        _write(
            tmp_path,
            text + '[[line]]\nname = "b"\nport = "tcp://gateway"\n'
            '[[meter]]\nname = "z"\nline = "b"\nmodel = "pzem-016"\naddress = 3\n',
        )
    )
    assert problems == []


def test_two_lines_cannot_share_a_port(tmp_path: Path) -> None:
    text = GOOD.replace('password = { env = "WATTBOOK_TEST_SECRET" }', "") + '[[line]]\nname="b"\nport="/dev/ttyUSB0"\n'
    _, problems = examine(_write(tmp_path, text))
    assert ["another line too" in problem.message for problem in problems] == [True, True]


def test_a_secret_never_shows_itself() -> None:
    secret = Secret("hush")
    assert "hush" not in f"{secret} {secret!r} {secret!s} {secret:>9}" and secret.reveal() == "hush"
    assert shown("mqtt://user:hush@h:1883") == "mqtt://h:1883" and shown("mqtt:/user:hush@h") == "mqtt:/h"


def test_a_meter_can_be_asked_for_some_of_its_quantities_alone(tmp_path: Path) -> None:
    text = GOOD.replace('password = { env = "WATTBOOK_TEST_SECRET" }', "")
    chosen = text.replace('every = "5s"', 'every = "5s"\nquantities = ["active_power", "voltage"]')
    config = _loaded(tmp_path, chosen)
    modbus = config.profiles["main-a"].modbus
    assert modbus is not None
    assert [register.quantity for register in modbus.registers] == ["voltage", "active_power"]
    _, problems = examine(_write(tmp_path, chosen.replace('"voltage"', '"voltag"')))
    assert 'does not tell "voltag" (did you mean "voltage"' in problems[0].message


HOST = '[[meter]]\nname = "pi"\nmodel = "host"\n'


def test_this_machine_is_a_meter_without_a_line(tmp_path: Path) -> None:
    config = _loaded(tmp_path, HOST)
    assert config.every_s(config.meters[0]) == 60.0


@pytest.mark.parametrize(
    ("more", "line", "says"),
    [
        ('every = "0s"', 4, 'every "1s" at the most'),
        ("address = 4", 4, 'takes no "address"'),
        ('line = "rs485"\n[[line]]\nname = "rs485"\nport = "/dev/ttyUSB0"', 4, 'takes no "line"'),
        ("[supply]\ngenerator_current = 0", 5, "greater than 0"),
        ("[supply]\ngenerator_curent = 0.5", 5, 'did you mean "generator_current"'),
        ('[supply]\ndark_after = "0s"', 5, "greater than or equal to 1"),
    ],
)
def test_what_this_machine_and_the_supply_cannot_be(tmp_path: Path, more: str, line: int, says: str) -> None:
    _, problems = examine(_write(tmp_path, HOST + more))
    assert [(problem.line, says in problem.message) for problem in problems] == [(line, True)], problems


@pytest.mark.parametrize("model", ["pzem-016", "sml"])
def test_a_serial_number_is_for_models_that_tell_theirs(tmp_path: Path, model: str) -> None:
    text = (
        f'[[line]]\nname = "l"\nport = "/dev/x"\n[[meter]]\nname = "m"\nline = "l"\nmodel = "{model}"\nserial = "12"\n'
    )
    _, problems = examine(_write(tmp_path, text))
    assert [(one.line, "tells no serial number" in one.message) for one in problems] == [(8, True)]


def test_serial_numbers_tell_meters_of_one_address_apart_on_several_ports(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    known = (Path(__file__).parents[1] / "profiles/sdm120.toml").read_text().replace('"sdm120"', '"numbered"')
    number = "\n[identity.serial_number]\nfunction = 3\naddress = 0xFC00\ncount = 2\n"
    (models / "numbered.toml").write_text(known.replace("read_max = 80\n", "read_max = 80\n" + number))
    meters = "".join(
        f'[[meter]]\nname = "{name}"\nline = "l"\nmodel = "numbered"\naddress = 3\nserial = {serial}\n'
        for name, serial in (("a", "4711"), ("b", '"4712"'))
    )
    site = '[site]\nprofiles = "models"\n'
    for port, said in (('port = "auto"', 0), ('port = "/dev/x"', 1)):
        _, problems = examine(_write(tmp_path, f'{site}[[line]]\nname = "l"\n{port}\n{meters}'))
        assert len(problems) == said


VIRTUAL = """
[[meter]]
name = "main-a"
model = "push"

[[meter]]
name = "main-b"
model = "push"
source = "solar"

[[meter]]
name = "house"
formula = "main-a + main-b"
location = "house"

[[meter]]
name = "rest"
formula = "house - 0.5 * main-b"
"""


def test_a_meter_with_a_formula_is_virtual(tmp_path: Path) -> None:
    config = _loaded(tmp_path, VIRTUAL)
    assert [meter.name for meter in config.meters] == ["main-a", "main-b"]
    assert [meter.name for meter in config.virtual_meters] == ["house", "rest"]
    assert config.parts_of("rest") == {"main-a": 1, "main-b": 0.5}
    assert config.parts_of("main-a") == {"main-a": 1}


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        (("main-a + main-b", "main-a + main-c"), 13, 'character 10: no meter is called "main-c" (did you'),
        (("main-a + main-b", "main-a + 'main-c'"), 13, 'at character 10: no meter is called "main-c" (did you mean'),
        (("main-a + main-b", "main-a + rest"), 13, "it needs itself: house needs rest needs house"),
        (("main-a + main-b", "main-a + rest"), 18, "it needs itself: rest needs house needs rest"),
        (("main-a + main-b", "main-a * main-b"), 13, "cannot be multiplied"),
        (("main-a + main-b", ""), 13, "empty"),
        (('location = "house"', 'model = "push"'), 14, 'is computed from others and takes no "model"'),
        (('location = "house"', 'locatoin = "house"'), 14, 'unknown key "locatoin" (did you mean "location"?)'),
        (('source = "solar"', 'source = "sun"'), 9, "cannot be 'sun'"),
        (('name = "rest"', 'name = "house"'), 17, 'two meters are called "house"'),
        (('name = "rest"', 'name = "main-a"'), 17, 'two meters are called "main-a"'),
        (('formula = "main-a + main-b"', ""), 11, '"model" is missing'),
    ],
)
def test_a_wrong_formula_is_found_at_its_line(tmp_path: Path, change: tuple[str, str], place: int, says: str) -> None:
    path = _write(tmp_path, VIRTUAL.replace(*change))
    _, problems = examine(path)
    assert any(problem.line == place and says in problem.message for problem in problems), problems
