"""A table of a wattbook.toml is added, changed or removed, and every other line stays as it was."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wattbook.config.edit import Edit, edited, lines_of
from wattbook.config.toml_lines import statements, toml_key, toml_value
from wattbook.model import ConfigError

HOUSE = '''# The house.
[site]
name = "House"  # as the family calls it
timezone = "Europe/Prague"

# the bus of the cellar
[[line]]
name = "bus"
port = "/dev/ttyUSB0"

[[meter]]
name = "a"
line = "bus"
model = "pzem-016"   # from the market
# address = 3
address = 4

# another one
[[line]]
name = "second"
ports = [
  "/dev/ttyUSB1",  # left ] here
  "/dev/ttyUSB2",
]

[[sink]]
name = "files"
kind = "csv"
[sink.columns]   # of the table
"Leistung [W]" = "{active_power}"
note = """
[[meter]]
name = "no table"
"""

[[meter]]
name = "b"
model = "push"
'''


def test_a_change_touches_its_line_alone() -> None:
    new = edited(HOUSE, Edit("change", "meter", {"address": 7, "model": "pzem-016"}, "a"))
    assert new == HOUSE.replace("address = 4", "address = 7")
    new = edited(HOUSE, Edit("change", "site", {"name": "Haus"}))
    assert new == HOUSE.replace('"House"', '"Haus"')


def test_new_keys_stand_behind_the_last_of_their_table_and_comments_stay_where_they_are() -> None:
    new = edited(HOUSE, Edit("change", "meter", {"location": "cellar", "line": None}, "a"))
    assert new == HOUSE.replace("address = 4\n", 'address = 4\nlocation = "cellar"\n').replace('line = "bus"\n', "")


def test_tables_below_a_table_are_its_keys() -> None:
    new = edited(HOUSE, Edit("change", "sink", {"columns": {"W": "{active_power}"}}, "files"))
    assert tomllib.loads(new)["sink"] == [{"name": "files", "kind": "csv", "columns": {"W": "{active_power}"}}]
    assert "no table" not in new and new.endswith(HOUSE[-35:])
    gone = edited(HOUSE, Edit("remove", "sink", name="files"))
    assert tomllib.loads(gone) == {key: value for key, value in tomllib.loads(HOUSE).items() if key != "sink"}


def test_a_table_is_removed_and_one_is_added() -> None:
    new = edited(HOUSE, Edit("remove", "line", name="second"))
    assert [each["name"] for each in tomllib.loads(new)["line"]] == ["bus"] and "# another one" in new
    new = edited(HOUSE, Edit("add", "alert", {"name": "x", "kind": "backup"}))
    assert new == HOUSE + '\n[[alert]]\nname = "x"\nkind = "backup"\n'
    assert edited("", Edit("add", "backup", {"dir": "b"})) == '[backup]\ndir = "b"\n'
    assert edited("[site]", Edit("change", "site", {"name": "é"})) == '[site]\nname = "é"\n'


def test_ends_of_lines_are_kept() -> None:
    text = HOUSE.replace("\n", "\r\n")
    new = edited(text, Edit("change", "meter", {"location": "cellar", "address": 1}, "a"))
    assert new.count("\n") == new.count("\r\n") == text.count("\n") + 1


@pytest.mark.parametrize(
    ("text", "edit", "words"),
    [
        (HOUSE, Edit("change", "meter", {"address": 1}, "c"), 'no meter is called "c"'),
        (HOUSE, Edit("remove", "backup"), r"there is no \[backup\]"),
        (HOUSE, Edit("add", "site", {"name": "x"}), r"\[site\] is there already"),
        ('site.name = "x"\n', Edit("change", "site", {"name": "y"}), "change it in the file"),
        ('line = [{name = "x"}]\n', Edit("change", "line", {"port": "y"}, "x"), "change it in the file"),
    ],
)
def test_what_cannot_be_done_is_told(text: str, edit: Edit, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        edited(text, edit)


def test_the_lines_of_a_table_are_known() -> None:
    edit = Edit("change", "meter", {"address": 7, "every": "1s"}, "a")
    new = edited(HOUSE, edit).splitlines()
    assert [new[line - 1] for line in sorted(lines_of(HOUSE, "\n".join(new), edit))][::6] == [
        "[[meter]]",
        'every = "1s"',
    ]


_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_scalars = st.one_of(
    _texts, st.integers(-(2**62), 2**62), st.booleans(), st.floats(allow_nan=False, allow_infinity=False)
)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=3,
)
_keys = st.text("abcdef-_", min_size=1, max_size=4)
_TABLES = ("meter", "line", "sink")


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file of tables in any order, with comments, blank lines and values over several lines."""
    lines: list[str] = []
    for number in range(draw(st.integers(0, 4))):
        lines += draw(st.lists(st.sampled_from(["", "# a [comment", "  # [[meter]]", "\t"]), max_size=2))
        table = draw(st.sampled_from(_TABLES))
        keys = draw(st.dictionaries(_keys, _values, max_size=2))
        lines += [f"[[{table}]]{draw(st.sampled_from(['', '  # x = 1']))}", f'name = "{number}"']
        for key, value in keys.items():
            comment = draw(st.sampled_from(["", " # c", ' # "', "  #]"]))
            lines.append(f"{key}={toml_value(value)}{comment}" if key != "name" else "")
            if draw(st.booleans()):
                lines.append(
                    draw(
                        st.sampled_from(
                            ["", "# own = 1", f"x{key} = [\n 1, # [[line]]\n]", f"y{key} = '''\n[[line]]'''"]
                        )
                    )
                )
        if draw(st.booleans()):
            lines += [f"[{table}.below]", draw(st.sampled_from(["k.a = 1", "", "# below"]))]
    return "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n# end"]))


@given(files())
def test_statements_are_the_text(text: str) -> None:
    cut = statements(text)
    assert "".join(each.text for each in cut) == text
    tables = sum(each.kind == "table" and len(each.path()) == 1 for each in cut)
    assert tables == sum(len(tables) for tables in tomllib.loads(text).values())


@given(files(), st.data())
def test_an_edit_does_what_it_says_and_nothing_else(text: str, data: st.DataObject) -> None:
    was: dict[str, list[dict[str, Any]]] = tomllib.loads(text)
    table = data.draw(st.sampled_from(_TABLES))
    do = data.draw(st.sampled_from(["add", "change", "remove"] if table in was else ["add"]))
    keys = data.draw(st.dictionaries(_keys.filter(lambda key: key != "name"), _values | st.none(), max_size=3))
    number = data.draw(st.integers(0, len(was[table]) - 1)) if do != "add" else len(was.get(table, []))
    name = "new" if do == "add" else was[table][number]["name"]
    given_keys = {"name": name, **keys} if do == "add" else keys
    new = edited(text, Edit(do, table, given_keys, name))  # type: ignore[arg-type]
    wanted = {each: [dict(one) for one in ones] for each, ones in was.items()}
    if do == "remove":
        del wanted[table][number]
    else:
        own = wanted.setdefault(table, [])
        own += [{}] if do == "add" else []
        own[number] |= given_keys
        for key in [key for key, value in own[number].items() if value is None]:
            del own[number][key]
    assert {each: ones for each, ones in tomllib.loads(new).items() if ones} == {k: v for k, v in wanted.items() if v}
    before, after = _others(text, table, number), _others(new, table, -1 if do == "remove" else number)
    assert [line for line in before if line.strip()] == [line for line in after if line.strip()]


def _others(text: str, table: str, number: int) -> list[str]:
    """The lines of every other table, and the comments that stand before a table or at the end."""
    lines: list[str] = []
    held: list[str] = []  # comments that are the edited table's own if a key of it follows
    seen, inside = -1, False
    for each in statements(text if text.endswith("\n") or not text else text + "\n"):
        if each.kind == "other":
            held.append(each.text)
            continue
        if each.kind == "table":
            path = each.path()
            seen += path == (table,)
            held, lines = [], lines + held
            inside = path[0] == table and seen == number
        lines += [] if inside else [*held, each.text]
        held = []
    return lines + held


@given(_texts, _values)
def test_keys_and_values_come_back(key: str, value: Any) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_value(value)}") == {key: value}
