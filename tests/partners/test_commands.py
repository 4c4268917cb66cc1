"""Commands as a person types them, rightly and wrongly."""

import json
from pathlib import Path

import pytest

from running import HOUSE, simulated, wattbook, write_house

CAPTURES = Path(__file__).parents[1] / "captures"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["raed"], 'no command is called "raed" (did you mean "read"?)'),
        (["read"], "Missing argument"),
        (["read", "/dev/null", "--modl", "x"], "--model"),
        (["read", "/dev/null", "--model", "pzem16"], 'did you mean "pzem-016"'),
        (["models", "show", "sm"], 'did you mean "sml"'),
        (["run", "-c", "nowhere.toml"], "cannot be read"),
        (["check", "-c", "nowhere.toml"], "cannot be read"),
        (["decode", "nowhere.txt"], "No such file"),
        (["decode", "--format", "smll", "x"], "sml"),
    ],
)
def test_wrong_use_is_one_line_with_the_nearest_right_name(arguments: list[str], says: str) -> None:
    said = wattbook(*arguments)
    assert said.returncode == 2
    assert len(said.stderr.strip().splitlines()) == 1 and says in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["query", "main-aa", "voltage"], 'did you mean "main-a"'),
        (["query", "main-a", "voltag"], 'did you mean "voltage"'),
        (["query", "main-a", "voltage", "--from", "soon"], "is no instant"),
        (["query", "main-a", "voltage", "--every", "1 week"], "is no step"),
        (["query", "main-a", "voltage", "--every", "1h", "--aggregate", "meen"], 'did you mean "mean"'),
        (["latest", "main-aa"], 'did you mean "main-a"'),
    ],
)
def test_a_wrong_name_in_a_question_is_answered_with_the_nearest(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    said = wattbook(*arguments, "-c", write_house(tmp_path))
    assert said.returncode == 2
    assert len(said.stderr.strip().splitlines()) == 1 and says in said.stderr


def test_check_tells_every_problem_and_its_line(tmp_path: Path) -> None:
    good, bad = write_house(tmp_path), tmp_path / "bad.toml"
    bad.write_text(HOUSE.replace('model = "sml"', 'model = "smll"').replace("energy_meter", "enrgy_meter"))
    assert wattbook("check", "-c", good).returncode == 0
    said = wattbook("check", "-c", bad)
    assert said.returncode == 2
    assert [line.split(":")[0] for line in said.stderr.splitlines()] == ["bad.toml"] * len(said.stderr.splitlines())
    assert 'did you mean "energy_meter"' in said.stderr


def test_read_asks_a_meter_once(tmp_path: Path) -> None:
    config = write_house(tmp_path)
    with simulated(tmp_path, config):
        port = tmp_path / "sim/rs485"
        said = wattbook("read", port, "--model", "pzem-016", "--address", "5", "--json")
        reading = json.loads(said.stdout)
        assert said.returncode == 0 and reading["meter"] == "5" and 200 < reading["values"]["voltage"] < 260
        raw = wattbook("read", port, "--model", "pzem-016", "--address", "5", "--raw")
        assert "> 05 04 00 00 00 09 31 88" in raw.stderr.replace("\n", " ") and "Voltage" in raw.stdout
        again = wattbook("decode", "-", "--model", "pzem-016", "--json", given=raw.stderr)
        assert json.loads(again.stdout)["values"]["voltage"] > 200
        nobody = wattbook("read", port, "--model", "pzem-016", "--address", "9")
        assert nobody.returncode == 1 and len(nobody.stderr.strip().splitlines()) == 1
        heard = wattbook("read", tmp_path / "sim/sml", "--model", "sml", "--json")
        assert "active_energy_import" in json.loads(heard.stdout)["values"]


def test_models_are_listed_and_shown() -> None:
    listed = [json.loads(line) for line in wattbook("models", "list", "--json").stdout.splitlines()]
    assert {"pzem-016", "sml"} <= {model["name"] for model in listed}
    shown = json.loads(wattbook("models", "show", "pzem-016", "--json").stdout)
    assert shown["modbus"]["registers"][0]["quantity"] == "voltage"
    assert "active_energy_import" in wattbook("models", "show", "pzem-016").stdout


def test_simulate_without_a_configuration_is_the_demos_house(tmp_path: Path) -> None:
    config = write_house(tmp_path, HOUSE.replace("[[line]]", "", 1).split("[[line]]")[0])
    assert wattbook("simulate", "-c", config).returncode == 2  # a house without lines cannot be simulated


def test_decode_tells_damage_and_exits_with_1(tmp_path: Path) -> None:
    whole = next(CAPTURES.glob("iec62056-21/*.txt")).read_bytes()
    assert wattbook("decode", "-", "--json", given=whole.decode("latin-1")).returncode in (0, 1)
    said = wattbook("decode", "-", "--json", given="\x02".join(["/ABC5X\r\n", "1.8.0(1*kWh)\r\n!\r\n\x03\x01"]))
    assert said.returncode == 1 and set(json.loads(said.stdout)) == {"error", "offset"}


def test_capture_records_a_meter_and_check_proves_it(tmp_path: Path) -> None:
    config = write_house(tmp_path)
    with simulated(tmp_path, config):
        port = tmp_path / "sim/rs485"
        file = tmp_path / "pzem-016/capture.hex"
        said = wattbook("capture", port, "--model", "pzem-016", "--address", "5", "-o", file)
        assert said.returncode == 0, said.stderr
        assert str(port) not in file.read_text() and file.with_name("expected.json").exists()
        again = wattbook("capture", port, "--model", "pzem-016", "--address", "5", "-o", file)
        assert again.returncode == 2 and "it is there already" in again.stderr
        holes = tmp_path / "unknown.hex"
        said = wattbook("capture", port, "--address", "5", "--function", "4", "--registers", "0-15", "--pause", "0.01",
                        "-o", holes)  # fmt: skip
        assert said.returncode == 0 and "not readable: 10-15" in said.stdout, said.stdout + said.stderr
    profile = tmp_path / "pzem-016.toml"
    profile.write_text((Path(__file__).parents[2] / "src/wattbook/profiles/models/pzem-016.toml").read_text())
    proven = wattbook("models", "check", profile, "--json")
    assert proven.returncode == 0 and json.loads(proven.stdout)["requests"][0]["count"] > 5, proven.stdout
    file.write_text(file.read_text().replace("< 05", "< 06"))
    damaged = wattbook("models", "check", profile)
    assert damaged.returncode == 1 and "damaged or refused" in damaged.stdout
    profile.write_text(profile.read_text().replace('"uint16"', '"uint61"', 1))
    wrong = wattbook("models", "check", profile)
    assert wrong.returncode == 2 and "pzem-016.toml:" in wrong.stderr


def test_a_list_is_imported_and_checked(tmp_path: Path) -> None:
    given, made = tmp_path / "list.csv", tmp_path / "acme-100.toml"
    given.write_text("address;name;type;unit;scale\n40001;Voltage L1;uint16;V;0.1\n40002;Colour;uint16;;\n")
    said = wattbook("models", "import", given, "-o", made)
    assert said.returncode == 0 and "1 register, 1 row left" in said.stderr, said.stderr
    checked = wattbook("models", "check", made)
    assert checked.returncode == 0 and "registers 0-0" in checked.stdout
    given.write_text("nothing")
    assert wattbook("models", "import", given).returncode == 2
