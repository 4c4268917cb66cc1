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
from typing import Any

import model_page  # beside this file
from typer.testing import CliRunner

from wattbook.cli.main import make_app
from wattbook.config import (
    ApiSettings,
    BackupSettings,
    LineSettings,
    LogSettings,
    MeterSettings,
    ProxySettings,
    RetentionSettings,
    SiteSettings,
    SupplySettings,
    VirtualMeterSettings,
)
from wattbook.config.sinks import read_sinks
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
              "[supply]": SupplySettings, "[[retention]]": RetentionSettings, "[backup]": BackupSettings}  # fmt: skip
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
    """The keys that a table of settings adds to those it inherits, with the comments of the code."""
    source = inspect.getsource(settings)
    inherited = {item.name for parent in settings.__mro__[1:] if is_dataclass(parent) for item in fields(parent)}
    yield "| key | default | |\n| --- | --- | --- |"
    for item in fields(settings):
        if item.name in inherited:
            continue
        found = re.search(rf"^    {item.name}: .*?  # (.*)$", source, re.MULTILINE | re.DOTALL)
        if found is None:
            sys.exit(f"{settings.__name__}.{item.name} has no comment that says what it is")
        comment = found[1].splitlines()[0]
        yield f"| `{item.name}` | {_default(item)} | {comment} |"


def _default(item: Field[Any]) -> str:
    """A default as it would stand in the file."""
    if item.default is MISSING and item.default_factory is MISSING:
        return "required"
    if item.default is None:
        return ""
    if isinstance(item.default, Secret):
        return ""
    if isinstance(item.default, tuple):
        return f"`{list(item.default)}`"
    if item.default_factory is not MISSING:
        return ""
    if isinstance(item.default, bool):
        return f"`{str(item.default).lower()}`"
    if isinstance(item.default, int):
        return f"`{item.default}`"
    if isinstance(item.default, float):
        return f'`"{item.default:g}s"`' if item.type != "_Current" else f"`{item.default:g}`"
    return f'`"{item.default}"`'


def commands() -> Iterator[str]:
    """The help of every command, as the command line prints it."""
    yield "# Command line\n"
    yield "Exit codes: 0 done, 1 the device or server said no (or one of several inputs failed), 2 wrong use or"
    yield "configuration. Errors are one line on standard error: what happened, where, what to do."
    runner, terminal = CliRunner(), {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
    for command in (
        "demo",
        "run",
        "proxy",
        "simulate",
        "check",
        "read",
        "capture",
        "decode",
        "latest",
        "query",
        "export",
        "import",
        "backup",
        "restore",
        "verify",
        "storage",
        "sink status",
        "sink pause",
        "sink resume",
        "sink replay",
        "grafana",
        "meter show",
        "meter install",
        "meter replace",
        "meter reset",
        "meter rollover",
        "meter ratio",
        "meter rewire",
        "meter move",
        "meter correct",
        "meter accept",
        "meter drop",
        "meter undo",
        "models list",
        "models show",
        "scan",
        "set-address",
        "reset-energy",
        "models check",
        "models import",
    ):
        shown = runner.invoke(make_app(), [*command.split(), "--help"], prog_name="wattbook", env=terminal)
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
