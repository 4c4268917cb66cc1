"""The Transact-SQL that wattbook and SQLAlchemy write, done by SQLite: as much of it as that, and nothing more.

Kept: transactions, keys, NOT NULL, lengths of texts, MERGE, SQL Server's error numbers, its catalogue of columns and
keys. Not kept: its types (a wrong instant is stored as it came), its locks, its collations, its limits.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LOCK_S_MAX = 30.0
VERSION = "Microsoft SQL Server 2022 (a small server of wattbook's tests) - 16.0.1000.6 (X64)"

_TOKEN = re.compile(r"N?'(?:[^']|'')*'|\[[^\]]*\]|\"[^\"]*\"|\w+|\s+|.", re.DOTALL)
_MERGE = re.compile(
    r"MERGE INTO (?P<table>\S+) AS held USING \((?P<rows>VALUES .*)\) AS given \((?P<columns>[^()]*)\) "
    r"ON (?P<same>.*?)(?: WHEN MATCHED THEN UPDATE SET (?P<others>.*?))? "
    r"WHEN NOT MATCHED THEN INSERT \([^()]*\) VALUES \([^()]*\);",
    re.DOTALL,
)
_INSERT = re.compile(r"(INSERT INTO .*?\)) SELECT .*? FROM \((VALUES .*)\) AS given \([^()]*\)", re.DOTALL)
_HINTS = re.compile(r"\s*WITH \((?:HOLDLOCK|READPAST)\)|\s+COLLATE \w+|\(max\)|\bdbo\.|(?<=CREATE TABLE )dbo\.")
_CONSTRAINTS = {"UNIQUE": 2627, "NOT NULL": 515, "CHECK": 2628}
_SYS = """
CREATE TABLE sys.schemas (schema_id, name);
CREATE TABLE sys.objects (object_id, schema_id, name, type);
CREATE TABLE sys.system_views (name);
CREATE TABLE sys.columns (object_id, name, column_id, default_object_id, user_type_id, is_nullable, max_length,
  precision, scale, collation_name);
CREATE TABLE sys.types (name, system_type_id, user_type_id);
CREATE TABLE sys.default_constraints (object_id, parent_column_id, definition);
CREATE TABLE sys.computed_columns (object_id, column_id, definition, is_persisted);
CREATE TABLE sys.identity_columns (object_id, column_id, is_identity, seed_value, increment_value);
CREATE TABLE sys.extended_properties (class, name, major_id, minor_id, value);
CREATE TABLE sys.key_constraints (name, type, parent_object_id, unique_index_id);
CREATE TABLE sys.indexes (object_id, index_id, name, type, is_unique, is_primary_key, filter_definition);
CREATE TABLE sys.index_columns (object_id, index_id, column_id, key_ordinal, is_included_column, is_descending_key);
"""
_TYPES = ("nvarchar", "varchar", "datetime2", "datetime", "float", "bigint", "int", "bit", "numeric")
_CALLED = {"double precision": "float", "integer": "int", "decimal": "numeric"}


class Refusal(Exception):
    """What a statement is answered with when it fails: SQL Server's number, and words."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number = number


@dataclass(frozen=True)
class Answer:
    """Rows, or how many were touched."""

    names: Sequence[str]
    rows: Sequence[Sequence[object]]
    count: int


class Session:
    """One connection's half of the database."""

    def __init__(self, file: Path) -> None:
        self._store = sqlite3.connect(file, timeout=LOCK_S_MAX, isolation_level=None, check_same_thread=False)
        self._store.execute("PRAGMA synchronous = OFF")  # kill -9 leaves the system's cache alone
        self._store.execute("ATTACH ':memory:' AS sys")
        self._store.executescript(_SYS)
        self._wants = False  # a transaction begins with its first statement that touches anything

    def run(self, batch: str) -> Answer:
        """Do one batch. Raises Refusal."""
        word = batch.strip().upper()
        if word.startswith(("SET ", "USE ")) or not word:
            return Answer((), (), 0)
        if word.startswith(("BEGIN TRAN", "COMMIT TRAN", "ROLLBACK TRAN", "IF @@TRANCOUNT")):
            return self._turn(word)
        if word == "SELECT @@VERSION":
            return Answer(("",), ((VERSION,),), 1)
        if word == "SELECT SCHEMA_NAME()":
            return Answer(("",), (("dbo",),), 1)
        if "FN_LISTEXTENDEDPROPERTY" in word:
            return Answer(("",), (), 0)
        return self._done(translate(batch))

    def close(self) -> None:
        """Undo what was not committed."""
        self._store.close()

    def _turn(self, word: str) -> Answer:
        if not word.startswith("BEGIN") and self._store.in_transaction:
            self._store.execute("COMMIT" if "COMMIT" in word else "ROLLBACK")
        self._wants = word.startswith("BEGIN")
        return Answer((), (), 0)

    def _done(self, statement: str) -> Answer:
        try:
            if "sys." in statement and not self._store.in_transaction:
                self._fill_catalogue()
            elif self._wants and not self._store.in_transaction:
                self._store.execute("BEGIN IMMEDIATE")
            elif "sys." in statement:
                self._fill_catalogue()
            cursor = self._store.execute(statement)
            rows = cursor.fetchall()
        except sqlite3.IntegrityError as error:
            number = next((each for words, each in _CONSTRAINTS.items() if words in str(error)), 547)
            raise Refusal(number, str(error)) from error
        except sqlite3.Error as error:
            raise Refusal(_number(str(error)), f"{error}: {statement[:200]}") from error
        names = [column[0] for column in cursor.description or ()]
        return Answer(names, rows, len(rows) if names else max(cursor.rowcount, 0))

    def _fill_catalogue(self) -> None:
        for (name,) in self._store.execute("SELECT name FROM sys.sqlite_master").fetchall():
            self._store.execute(f"DELETE FROM sys.{name}")  # noqa: S608  names of ours
        self._add("schemas", (1, "dbo"))
        for number, name in enumerate(_TYPES):
            self._add("types", (name, number, number))
        tables = self._store.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'").fetchall()
        for number, (name,) in enumerate(tables, 1):
            self._add("objects", (number, 1, name, "U"))
            self._fill_table(number, name)

    def _fill_table(self, number: int, table: str) -> None:
        order: dict[str, int] = {}
        for place, name, declared, not_null, default, _ in self._store.execute(f'PRAGMA main.table_info("{table}")'):
            order[name] = place + 1
            kind, sizes = _parsed_type(declared)
            length = sizes[0] * (2 if kind == "nvarchar" else 1) if sizes else -1 if "char" in kind else 8
            scale = sizes[-1] if sizes else 0
            default_at = 1000 * number + place if default is not None else 0
            self._add(
                "columns",
                (number, name, place + 1, default_at, _TYPES.index(kind), 1 - not_null, length, 0, scale, None),
            )
            if default_at:
                self._add("default_constraints", (default_at, place + 1, default))
        for index, (_, name, unique, origin, _) in enumerate(
            self._store.execute(f'PRAGMA main.index_list("{table}")').fetchall(), 1
        ):
            is_key = origin == "pk"
            self._add("indexes", (number, index, name, 1, unique, int(is_key), None))
            if is_key:
                self._add("key_constraints", (name, "PK", number, index))
            for place, _, column in self._store.execute(f'PRAGMA main.index_info("{name}")').fetchall():
                self._add("index_columns", (number, index, order[column], place + 1, 0, 0))

    def _add(self, table: str, row: Sequence[object]) -> None:
        marks = ", ".join("?" * len(row))
        self._store.execute(f"INSERT INTO sys.{table} VALUES ({marks})", row)  # noqa: S608  names of ours


def translate(batch: str) -> str:
    """Transact-SQL as SQLite understands it."""
    texts: list[str] = []

    def kept(token: str) -> str:
        """Texts are set aside, so that nothing is looked for inside them."""
        if token.startswith("N'"):
            token = token[1:]
        if token.startswith("'"):
            texts.append(token)
            return f"\x00{len(texts) - 1}\x00"
        return f'"{token[1:-1]}"' if token.startswith("[") else token

    plain = _HINTS.sub("", "".join(map(kept, _TOKEN.findall(batch)))).replace("DOUBLE PRECISION", "FLOAT")
    if (merge := _MERGE.fullmatch(plain.strip())) is not None:
        plain = _upsert(merge)
    plain = _INSERT.sub(r"\1 \2", plain)
    if plain.strip().startswith("CREATE TABLE"):
        plain = re.sub(r"([^\s(]+) (N?VARCHAR\((\d+)\))", r"\1 \2 CHECK (length(\1) <= \3)", plain)
    return re.sub("\x00(\\d+)\x00", lambda place: texts[int(place[1])], plain)


def _upsert(merge: re.Match[str]) -> str:
    key = ", ".join(part.split(" = ")[0].removeprefix("held.") for part in merge["same"].split(" AND "))
    others = (merge["others"] or "").replace("given.", "excluded.")
    then = f"UPDATE SET {others}" if others else "NOTHING"
    return f"INSERT INTO {merge['table']} ({merge['columns']}) {merge['rows']} ON CONFLICT ({key}) DO {then}"


def _parsed_type(declared: str) -> tuple[str, list[int]]:
    name, _, sizes = declared.casefold().partition("(")
    name = _CALLED.get(name.strip(), name.strip())
    return (name if name in _TYPES else "nvarchar"), [int(size) for size in re.findall(r"\d+", sizes)]


def _number(words: str) -> int:
    if "no such table" in words:
        return 208
    if "no such column" in words or "has no column" in words:
        return 207
    return 2705 if "duplicate column" in words else 1205 if "locked" in words else 102
