"""Write the reference pages that are made from the code: vocabulary, models, configuration, command line.

`python docs/generate.py` writes them, `--check` fails when one is not as it would be written.
"""

from __future__ import annotations

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import model_page  # beside this file
import typer
from typer.testing import CliRunner

from wattbook.cli.commands import COMMANDS, GROUPS
from wattbook.cli.main import make_app
from wattbook.config import (
    AlertSettings,
    ApiSettings,
    BackupSettings,
    LineSettings,
    LogSettings,
    MeterSettings,
    NotifySettings,
    ProxySettings,
    RetentionSettings,
    SiteSettings,
    SupplySettings,
    VirtualMeterSettings,
)
from wattbook.config.comments import own_comment
from wattbook.config.sinks import read_sinks
from wattbook.config.tariff_settings import EnergyPriceSettings, TariffSettings
from wattbook.model.vocabulary import all_names, base_names, quantity
from wattbook.profiles import Library
from wattbook.sinks import KINDS, SinkSettings, settings_class
from wattbook.values import Secret

REFERENCE = Path(__file__).parent / "reference"
HOW_TO = Path(__file__).parent / "how-to/sinks"
_MADE = "<!-- made by docs/generate.py; do not edit -->"


def vocabulary() -> Iterator[str]:
    """The table of every base name and of every name with an OBIS code."""
    yield "# Vocabulary\n"
    yield "A name is a base and suffixes in this order: phase (`_l1 _l2 _l3 _n _l12 _l23 _l31`; none = total or single"
    yield "phase), tariff (`_t1` to `_t8`), quadrant (`_q1` to `_q4`), channel (`_c1` to `_c16`), statistic (`_demand`"
    yield "`_max` `_min`). Registers only grow; gauges are values of an instant. OBIS codes are the C.D.E groups of"
    yield "IEC 62056-61.\n"
    yield "| name | meaning | unit | kind | OBIS |\n| --- | --- | --- | --- | --- |"
    coded = [name for name in all_names() if quantity(name).obis]
    for name in sorted({*base_names(), *coded}, key=all_names().index):
        found = quantity(name)
        yield f"| `{name}` | {found.title} | {found.unit} | {found.kind} | {found.obis} |"


def models() -> Iterator[str]:
    """The table of supported meters."""
    yield "# Supported meters\n"
    yield "| model | what | protocol | verified | source |\n| --- | --- | --- | --- | --- |"
    for profile in Library():
        doubtful = [one.quantity for one in profile.modbus.registers if not one.verified] if profile.modbus else []
        sure = f"yes, but for {len(doubtful)} of its values" if doubtful else "yes"
        verified = sure if profile.verified else "no"
        link = f"[`{profile.name}`]({model_page.FOLDER}/{profile.name}.md)"
        yield f"| {link} | {profile.title} | {profile.speaks} | {verified} | {profile.source} |"


def configuration() -> Iterator[str]:
    """Every table and key of wattbook.toml, with defaults and the comments of the code."""
    yield "# wattbook.toml\n"
    yield 'Durations are texts: `200ms`, `5s`, `15min`, `1h`, `1d`. Secrets are a text, `{ env = "NAME" }` or'
    yield '`{ file = "PATH" }`. Paths are relative to the file. Try a file with `wattbook check`.\n'
    tables = {"[site]": SiteSettings, "[log]": LogSettings, "[api]": ApiSettings,
              "[[line]]": LineSettings, "[[meter]]": MeterSettings,
              "[[meter]] with a formula": VirtualMeterSettings, "[[proxy]]": ProxySettings,
              "[supply]": SupplySettings, "[[retention]]": RetentionSettings, "[backup]": BackupSettings,
              "[[alert]]": AlertSettings, "[[notify]]": NotifySettings,
              "[[tariff]]": TariffSettings, "[[tariff.energy]]": EnergyPriceSettings}  # fmt: skip
    for title, settings in tables.items():
        yield f"\n## {title}\n\n{(settings.__doc__ or '').split(': ', 1)[-1].capitalize()}\n"
        yield from _keys(settings)
    yield "\n## [[sink]]\n\nEvery kind of sink has a section in [the page of sinks](sinks.md)."


def sinks() -> Iterator[str]:
    """What every sink can be told, then each kind with its own keys and the sample of its manual page."""
    yield "# Sinks\n"
    yield "A `[[sink]]` sends readings to another system: each of them, once, after any outage. All kinds take:\n"
    yield from _keys(SinkSettings)
    yield "\nTexts that say what is sent are templates: [how they are written](../how-to/sinks/templates.md)."
    for kind in KINDS:
        settings = settings_class(kind)
        yield f"\n## {kind}\n\n{inspect.cleandoc(settings.__doc__ or '')}\n"
        manual = HOW_TO / f"{kind}.md"
        yield f"Manual page: [{kind}](../how-to/sinks/{kind}.md)\n"
        yield from _sample(manual)
        yield from _keys(settings)


def _sample(manual: Path) -> Iterator[str]:
    """The first TOML of a manual page, which must be right."""
    toml = manual.read_text(encoding="utf-8").split("```toml\n", 1)[1].split("```", 1)[0]
    told = re.sub(r'\{ (file|env) = "[^"]*" \}', '"a secret"', toml)
    _, problems = read_sinks(tomllib.loads(told)["sink"], told, manual.parent)
    if problems:
        sys.exit(f"{manual}: {problems[0].message}")
    yield f"```toml\n{toml}```\n"


def _keys(settings: type[Any]) -> Iterator[str]:
    """The keys that a table of settings adds to those it inherits or has of its own, with the comments of the code."""
    types = get_type_hints(settings)
    parents = [fields(parent) for parent in settings.__mro__[1:] if is_dataclass(parent)]
    inherited = {item.name: item.default for of_parent in parents for item in of_parent}
    yield "| key | default | |\n| --- | --- | --- |"
    for item in fields(settings):
        if item.name in inherited and (item.name == "kind" or item.default == inherited[item.name]):
            continue
        comment = own_comment(settings, item.name)
        if not comment:
            sys.exit(f"{settings.__name__}.{item.name} has no comment that says what it is")
        yield f"| `{item.name}` | {_default(item)} | {comment}{_choices(types[item.name], comment)} |"


def _choices(kind: Any, comment: str) -> str:
    """The words of which a key takes one, where its comment does not have them all."""
    words = [f'"{word}"' if isinstance(word, str) else str(word) for word in get_args(kind)]
    if get_origin(kind) is not Literal or all(word.strip('"') in comment for word in words):
        return ""
    return f". One of {' '.join(words)}".replace("|", "\\|").replace("\t", "\\t")


def _default(item: Field[Any]) -> str:
    """A default as it would stand in the file."""
    make: Any = item.default_factory
    default = item.default if make is MISSING else make()
    if default is MISSING:
        return "required"
    if default is None or isinstance(default, Secret) or is_dataclass(default):
        return ""
    if isinstance(default, Mapping):
        return f"`{_inline(default)}`"
    if isinstance(default, tuple):
        return f"`{list(default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, int):
        return f"`{default}`"
    if isinstance(default, float):
        return f'`"{default:g}s"`' if "Seconds" in item.type or item.type == "_Patience" else f"`{default:g}`"
    return f'`"{default}"`'


def _inline(table: Mapping[str, Any]) -> str:
    """A table on one line of TOML."""
    if not table:
        return "{}"
    keys = {name: name if re.fullmatch(r"[\w-]+", name) else f'"{name}"' for name in table}
    return "{ " + ", ".join(f'{keys[name]} = "{text}"' for name, text in table.items()) + " }"


def _all_commands() -> Iterator[str]:
    for name in COMMANDS:
        command = typer.main.get_command(make_app([name])).commands[name]  # type: ignore[attr-defined]
        yield from [f"{name} {each}" for each in command.commands] if name in GROUPS else [name]


def commands() -> Iterator[str]:
    """The help of every command, as the command line prints it."""
    yield "# Command line\n"
    yield "Exit codes: 0 done, 1 the device or server said no (or one of several inputs failed), 2 wrong use or"
    yield "configuration. Errors are one line on standard error: what happened, where, what to do.\n"
    yield "`wattbook --install-completion` teaches your shell (bash, zsh, fish) to complete commands, options, and"
    yield "names: of meters, what the book has of them, locations, models, lines, sinks, alerts, users and tokens."
    runner, terminal = CliRunner(), {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for command in _all_commands():
        shown = runner.invoke(
            make_app(command.split()), [*command.split(), "--help"], prog_name="wattbook", env=terminal
        )
        yield f"\n## wattbook {command}\n\n```\n{shown.output.strip()}\n```"


PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "sinks.md": sinks,
    "vocabulary.md": vocabulary,
    "models.md": models,
    "configuration.md": configuration,
    "command-line.md": commands,
}


def main() -> None:
    """Write or check every page."""
    stale = []
    of_models = {name: partial(model_page.page, profile) for name, profile in model_page.pages().items()}
    for name, make in {**PAGES, **of_models}.items():
        text = "\n".join([_MADE, *make()]) + "\n"
        page = REFERENCE / name
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if "--check" not in sys.argv:
            page.parent.mkdir(exist_ok=True)
            page.write_text(text, encoding="utf-8")
    for page in (REFERENCE / model_page.FOLDER).glob("*.md"):
        if f"{model_page.FOLDER}/{page.name}" not in of_models:
            stale.append(f"{page.name} (of no model)")
            if "--check" not in sys.argv:
                page.unlink()
    if stale and "--check" in sys.argv:
        sys.exit(f"not as the code has it: {', '.join(stale)}; run `make docs`")


if __name__ == "__main__":
    main()
