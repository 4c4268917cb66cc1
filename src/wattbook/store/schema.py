"""The tables of the book, and how an older book becomes one of today (design, section 6)."""

from __future__ import annotations

from collections.abc import Mapping

APPLICATION_ID = 0x5742_4F4B  # "WBOK": what `file` and other programs can know a book by
VERSION = 1
PAGE_SIZE = 2048  # measured: the smallest whole file and the fastest durable commit of the sizes tried

TABLES = """
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
CREATE TABLE frame (
  id INTEGER PRIMARY KEY,
  meter INTEGER NOT NULL,
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  n INTEGER NOT NULL,
  seq_first INTEGER NOT NULL,
  seq_last INTEGER NOT NULL,
  at BLOB NOT NULL,
  seq BLOB NOT NULL,
  quality BLOB,
  revision INTEGER NOT NULL,
  codec INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  UNIQUE (meter, from_at)
);
CREATE INDEX frame_seq_last ON frame (seq_last);
CREATE TABLE piece (
  id INTEGER PRIMARY KEY,
  frame INTEGER NOT NULL,
  meter INTEGER NOT NULL,
  quantity TEXT NOT NULL,
  from_at INTEGER NOT NULL,
  n INTEGER NOT NULL,
  exponent INTEGER,
  codec INTEGER NOT NULL,
  first NUMERIC, last NUMERIC, min NUMERIC, max NUMERIC, sum NUMERIC,
  present BLOB,
  doubt BLOB,
  grid BLOB,
  data BLOB NOT NULL,
  crc INTEGER NOT NULL
);
CREATE INDEX piece_span ON piece (meter, quantity, from_at, first, last);
CREATE INDEX piece_frame ON piece (frame);
CREATE TABLE position (
  follower TEXT PRIMARY KEY,
  after TEXT NOT NULL,
  bookmark TEXT NOT NULL
);
"""

TABLE_NAMES = ("book", "meter", "shape", "hot", "event", "frame", "piece", "position")

# Version -> the script that makes the next version of it. The first book is version 1, so there is none yet.
MIGRATIONS: Mapping[int, str] = {}
