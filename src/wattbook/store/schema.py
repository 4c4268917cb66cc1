"""The tables of the book, and how an older book becomes one of today (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping

APPLICATION_ID = 0x5742_4F4B  # "WBOK": what `file` and other programs can know a book by
VERSION = 2
PAGE_SIZE = 2048  # measured: the smallest whole file and the fastest durable commit of the sizes tried

_BOOK = """
CREATE TABLE book (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  lineage TEXT NOT NULL,         -- a new random value at creation, restore or clone
  seq_next INTEGER NOT NULL      -- a number is never used twice
);
CREATE TABLE meter (
  id INTEGER PRIMARY KEY,
  site TEXT NOT NULL,            -- '' = the book's own
  name TEXT NOT NULL,
  UNIQUE (site, name)
);
CREATE TABLE shape (
  id INTEGER PRIMARY KEY,
  cells TEXT NOT NULL UNIQUE     -- [["voltage",-1],["active_energy_import",0],["x",null]]: power of ten, null = float
);
CREATE TABLE hot (
  seq INTEGER PRIMARY KEY,
  meter INTEGER NOT NULL,
  at INTEGER NOT NULL,           -- milliseconds since 1970 UTC
  shape INTEGER NOT NULL,
  quality INTEGER NOT NULL,
  doubt BLOB,                    -- msgpack {place in cells: quality}; NULL = none differs
  cells BLOB NOT NULL,           -- one msgpack list of int or float, as the shape says
  UNIQUE (meter, at)
);
CREATE TABLE event (
  seq INTEGER PRIMARY KEY,       -- the same counter as hot
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  subject TEXT NOT NULL,
  actor TEXT NOT NULL,
  body TEXT NOT NULL             -- JSON
);
CREATE TABLE position (
  follower TEXT PRIMARY KEY,
  after TEXT NOT NULL,
  bookmark TEXT NOT NULL
);
"""

SEALED = """
CREATE TABLE frame (
  id INTEGER PRIMARY KEY,
  meter INTEGER NOT NULL,
  from_at INTEGER NOT NULL,      -- an hour, or a local day of the site, half-open
  to_at INTEGER NOT NULL,
  n INTEGER NOT NULL,
  seq_first INTEGER NOT NULL,
  seq_last INTEGER NOT NULL,
  revision INTEGER NOT NULL,     -- 1, and one more each time its span is sealed again
  codec INTEGER NOT NULL,        -- of `at`
  crc INTEGER NOT NULL,
  at BLOB NOT NULL,
  seq BLOB NOT NULL,             -- empty = seq_first, seq_first + 1, ...
  quality BLOB,                  -- NULL = all good
  UNIQUE (meter, from_at)
);
CREATE INDEX frame_seq ON frame (seq_last, seq_first, codec);
CREATE INDEX frame_hour ON frame (from_at) WHERE to_at - from_at <= 3600000;
CREATE TABLE quantity (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);
CREATE TABLE piece (
  id INTEGER PRIMARY KEY,
  frame INTEGER NOT NULL,
  meter INTEGER NOT NULL,
  quantity INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  n INTEGER NOT NULL,            -- values
  exponent INTEGER,              -- power of ten of the cells; NULL = floats
  good INTEGER NOT NULL,         -- good values, of which all to `total` tells
  ends BLOB,                     -- instants and values of the first and last, longest distance, falls; NULL = none
  least, most, total,            -- cells: integers, or floats where there is no exponent; so no type of a column
  grid BLOB,                     -- by quarters of an hour
  present BLOB,                  -- NULL = in every row of the frame
  doubt BLOB,                    -- NULL = every value is as good as its reading
  codec INTEGER NOT NULL,
  data BLOB NOT NULL
);
CREATE INDEX piece_span ON piece (meter, quantity, from_at, ends);
CREATE INDEX piece_frame ON piece (frame);
CREATE TABLE chain (             -- in the order of sealing: what makes a change of sealed days visible
  id INTEGER PRIMARY KEY,
  meter INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  at INTEGER NOT NULL,           -- when it was sealed
  leaf BLOB NOT NULL,            -- SHA-256 of the frame
  link BLOB NOT NULL             -- SHA-256 of the link before and this leaf
);
CREATE INDEX chain_day ON chain (meter, from_at);
CREATE INDEX event_subject ON event (subject, kind);
"""

TABLES = _BOOK + SEALED

TABLE_NAMES = ("book", "meter", "shape", "hot", "event", "quantity", "frame", "piece", "chain", "position")

# Version -> the script that makes the next version of it. A book of version 1 has no sealed time yet.
MIGRATIONS: Mapping[int, str] = {1: "DROP TABLE frame;\nDROP TABLE piece;\n" + SEALED}
