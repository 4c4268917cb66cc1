"""What may be written into wattbook.toml from a browser: nothing that reads or writes files of others on this machine.

Who may come in may set up meters, alerts and sinks. That makes nobody its administrator: no reference to a secret of
this machine can be made, no path leads out of the folder of the book, and a kept secret is sent to no new place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

from wattbook.config.append import NotRight
from wattbook.config.edit import SINGLE, Edit, tables_of
from wattbook.config.forms import OF_TABLE, SITE_KEYS, is_path, is_secret, is_table
from wattbook.config.settings import Config
from wattbook.config.told import hints_of, settings_of
from wattbook.model.errors import ConfigError
from wattbook.model.nearest import did_you_mean
from wattbook.sinks import settings_class

KEYS_MAX = 60
NAME_SIZE_MAX = 100  # characters
TEXT_SIZE_MAX = 4_000  # characters of one text; a template of a body is long
URL_SIZE_MAX = 2_000
PARTS_MAX = 2_000  # texts and numbers in all keys of an order
DEPTH_MAX = 6  # of a table in a table
_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}")
_ADDRESSES = ("url", "port", "ports")
_OF_THIS_MACHINE = ("dbus", "kde", "qt", "gnome", "glib", "macosx", "windows", "syslog", "blink1", "vapid", "file")
_FILES_OF_APPRISE = re.compile(r"(file|path|template|pgp|smime|attach|cert)\w*\s*=")
_SQL_OPTIONS = ("charset", "sslmode", "application_name")
_FILES_OF_MONGODB = re.compile(r"(file|path)\w*\s*=")

CheckPort = Callable[[str], None]  # raises ConfigError for a port that may not be asked


def permitted(config: Config, text: str, edit: Edit, check_port: CheckPort) -> Edit:
    """The edit as it is written. `text` is the file as it is. Raises ConfigError, NotRight with what is wrong where."""
    if edit.table not in OF_TABLE:
        known = f"{did_you_mean(edit.table, OF_TABLE)}; one of: {', '.join(OF_TABLE)}"
        raise ConfigError(f'"{edit.table[:NAME_SIZE_MAX]}" cannot be set from a browser{known}')
    _check_size(edit)
    if edit.do == "remove":
        _check_removed(config, text, edit)
        return edit
    was = _was(text, edit)
    order = _Order(config, edit, {**was, **edit.keys}, was, check_port)
    wrong: dict[str, str] = {}
    keys: dict[str, Any] = {}
    for key, value in edit.keys.items():
        try:
            keys[key] = order.value(key, value)
        except ConfigError as error:
            wrong[key] = str(error)
    wrong |= {key: words for key, words in order.stale() if key not in wrong}
    if wrong:
        told = "; ".join(f"{key}: {words}" for key, words in wrong.items())
        raise NotRight(f"nothing was written, for it would not be right: {told}", place=config.path.name, fields=wrong)
    return Edit(
        edit.do, edit.table, {**order.defaults(), **{k: v for k, v in keys.items() if v is not _STAYS}}, edit.name
    )


_STAYS = object()  # a key that is left as it stands


def _was(text: str, edit: Edit) -> Mapping[str, Any]:
    tables = tables_of(text, edit.table)
    if edit.table in SINGLE:
        return tables[0] if tables else {}
    return {} if edit.do == "add" else next((each for each in tables if each.get("name") == edit.name), {})


def _check_removed(config: Config, text: str, edit: Edit) -> None:
    """Raise ConfigError for a [site] that says where the book is: without it a new one would begin elsewhere, without
    readings and without a password."""
    if edit.table != "site":
        return
    for key in _was(text, edit):
        if key not in SITE_KEYS:
            raise ConfigError(
                f'[site] says "{key}", which cannot be set from a browser; change it in {config.path.name}'
            )


def _check_size(edit: Edit) -> None:
    if len(edit.name) > NAME_SIZE_MAX:
        raise ConfigError(f'"name" has at most {NAME_SIZE_MAX} characters')
    if len(edit.keys) > KEYS_MAX:
        raise ConfigError(f'"keys" has at most {KEYS_MAX}')
    for key in edit.keys:
        if not _KEY.fullmatch(key):
            raise ConfigError("a key is made of letters, digits, - and _")
    if sum(1 for _ in _parts_of(edit.keys, 0)) > PARTS_MAX:
        raise ConfigError(f'"keys" holds at most {PARTS_MAX} texts and numbers')


def _parts_of(value: object, depth: int) -> Iterator[object]:
    """All texts and numbers of a value, names of tables among them. Raises ConfigError."""
    if depth > DEPTH_MAX:
        raise ConfigError(f"tables lie at most {DEPTH_MAX} deep")
    match value:
        case Mapping():
            for name, each in value.items():
                yield from _parts_of(name, depth)
                yield from _parts_of(each, depth + 1)
        case list():
            for each in value:
                yield from _parts_of(each, depth + 1)
        case str():
            _check_text(value)
            yield value
        case int() if not -(2**63) <= value < 2**63:
            raise ConfigError("a number has at most 64 bits")
        case _:
            yield value


def _check_text(text: str) -> None:
    if len(text) > TEXT_SIZE_MAX:
        raise ConfigError(f"a text has at most {TEXT_SIZE_MAX} characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("half a character cannot be written") from error
    if "\0" in text:
        raise ConfigError("a text holds no zero character")


@dataclass(frozen=True, slots=True)
class _Order:
    config: Config
    edit: Edit
    keys: Mapping[str, Any]  # the table as it will be
    was: Mapping[str, Any]  # and as it is; {} = it is new
    check_port: CheckPort

    def value(self, key: str, value: Any) -> Any:
        """What is written for a key. Raises ConfigError."""
        table = self.edit.table
        if table == "site" and key not in SITE_KEYS:
            raise ConfigError(f"cannot be set from a browser; change it in {self.config.path.name}")
        if key == "kind" and table == "sink":
            settings_class(str(value))
            if self.was and value != self.was.get("kind"):
                raise ConfigError("a sink stays of its kind, for its position is of it; add another one")
        if value is None:
            return None
        if _is_kept(value):
            return _STAYS
        hint = hints_of(table, self.keys).get(key, str)
        if is_secret(hint):
            value = _secret(value, self.was.get(key), table=is_table(hint))
        if is_path(hint):
            value = self._path(value)
        if key in _ADDRESSES and value != self.was.get(key):
            self._check_address(key, value)
        return int(value) if _is_number(value, hint) else value

    def _path(self, value: object) -> str:
        """A path that leads to a place of its own beside the book. Raises ConfigError."""
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise ConfigError("a path is a text")
        data = self.config.book.parent
        own = data == self.config.path.parent
        wanted = PurePosixPath(value)
        if ".." in wanted.parts or "\\" in value:
            raise ConfigError(f"a path leads to no place above; it lies in {data}")
        whole = data / wanted
        real = whole.resolve()
        if whole.is_relative_to(data) and real.is_relative_to(data) and real != data:
            first = whole.relative_to(data).parts[0]
            if not self._is_ours(first) and not self._is_ours(real.relative_to(data).parts[0]):
                return value if own or wanted.is_absolute() else str(whole)
            raise ConfigError(f"{first}: wattbook keeps something of its own there; name another file or folder")
        raise ConfigError(f"a path that is set from a browser lies in {data}")

    def _is_ours(self, first: str) -> bool:
        """Whether a file or folder beside the book is none for sinks. A name that is filled in could be any."""
        config, data = self.config, self.config.book.parent
        profiles = config.site.profiles
        ours = {config.path.name} if config.path.parent == data else set()
        if profiles and (folder := (config.path.parent / profiles).resolve()).is_relative_to(data):
            ours |= set(folder.relative_to(data).parts[:1])
        return first in ours or first.startswith((config.book.name, ".")) or "{" in first

    def _check_address(self, key: str, value: object) -> None:
        """Raise ConfigError for one that would do something on this machine itself."""
        if self.edit.table == "line":
            for port in value if isinstance(value, list) else [value]:
                self.check_port(str(port))
            return
        if not isinstance(value, str):
            return  # told like the same mistake in the file
        if len(value) > URL_SIZE_MAX or not value.isprintable():
            raise ConfigError(f"an address has at most {URL_SIZE_MAX} characters, all of them printable")
        kind = "notify" if self.edit.table == "notify" else self.keys.get("kind")
        if words := _address_problem(kind, unquote(unquote(value)).lower()):
            raise ConfigError(words)

    def stale(self) -> Iterator[tuple[str, str]]:
        """Secrets that would be sent to another place than they were given for."""
        moved = [key for key in _ADDRESSES if key in self.was and self._moves(key)]
        if not moved:
            return
        for key, value in self.was.items():
            hint = hints_of(self.edit.table, self.keys).get(key, str)
            if value and is_secret(hint) and key not in moved and not self._anew(key, value):
                yield key, f'give it anew: "{moved[0]}" changed, and what is kept here is sent to no other place'

    def _moves(self, key: str) -> bool:
        if key not in self.edit.keys:
            return False
        value = self.edit.keys[key]
        return not _is_kept(value) and value != self.was.get(key)

    def _anew(self, key: str, value: object) -> bool:
        """Whether a secret is given again, whole, or taken away."""
        if key not in self.edit.keys:
            return False
        given = self.edit.keys[key]
        inner = list(given.values()) if isinstance(given, Mapping) else [given]
        return not any(_is_kept(each) for each in [given, *inner])

    def defaults(self) -> Mapping[str, Any]:
        """Paths that a new table would have beside wattbook.toml, where the book lies elsewhere."""
        data = self.config.book.parent
        if self.was or data == self.config.path.parent:
            return {}
        settings: Any = settings_of(self.edit.table, self.keys)
        return {
            item.name: str(data / item.default)
            for item in fields(settings)
            if isinstance(item.default, Path) and item.name not in self.edit.keys
        }


def _is_kept(value: object) -> bool:
    """Whether this is what a browser was told in the place of a secret: it stays."""
    return isinstance(value, Mapping) and value.get("secret") is True and value.keys() <= {"secret", "from"}


def _secret(value: object, was: object, *, table: bool) -> object:
    """A secret as a text, or a table of them; in a table, what is kept stays. Raises ConfigError for a reference."""
    if isinstance(value, str):
        return value
    if table and isinstance(value, Mapping):
        kept = was if isinstance(was, Mapping) else {}
        if all(isinstance(each, str) or (_is_kept(each) and name in kept) for name, each in value.items()):
            return {name: each if isinstance(each, str) else kept[name] for name, each in value.items()}
    raise ConfigError("a secret is given as a text; references to files and to the environment are made in the file")


def _is_number(value: object, hint: object) -> bool:
    """Whether digits in a text are meant as a number: addresses of Modbus meters are."""
    plain: Sequence[Any] = get_args(hint)
    return isinstance(value, str) and int in plain and str in plain and value.isdecimal() and str(int(value)) == value


def _address_problem(kind: object, url: str) -> str:
    """What an address would do on this machine; "" = nothing. `url` is in lower case, without escapes."""
    options = url.partition("?")[2]
    if kind == "notify":
        if url.partition(":")[0].strip() in _OF_THIS_MACHINE:
            return "messages of this kind go to this machine itself; write it in the file"
        if _FILES_OF_APPRISE.search(options):
            return "it names a file of this machine; write it in the file"
    if kind == "sql" and any(each.partition("=")[0] not in _SQL_OPTIONS for each in re.split("[&;]", options) if each):
        return f"of options it takes {', '.join(_SQL_OPTIONS)}; write others in the file"
    if kind == "sql":
        try:
            host = urlsplit(url).hostname
        except ValueError:
            return "this is no address"
        if "/" in (host or ""):
            return "a database is reached by the name of its host"
    if kind == "mongodb" and _FILES_OF_MONGODB.search(options):
        return "it names a file of this machine; write it in the file"
    return ""
