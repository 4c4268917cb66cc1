"""A small Kafka broker: the part of the documented protocol that a producer needs, kept in files over kill -9.

    python kafka_server.py PORT FOLDER '{"user": "joe", "password": "s3cret", …}'

One broker leads three partitions of every topic, stores record batches as they come (magic 2, their checksum
verified), refuses too large ones and knows an idempotent producer's sequences, also after a restart. Requests of the
versions in `_VERSIONS` are answered; those of consumers are claimed and not served. Numbers are big endian; see
kafka.apache.org/protocol. A client called `…-PORT` is told that the broker is at that port: it is behind a forwarder.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import ssl
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

_PRODUCE, _FETCH, _METADATA, _HANDSHAKE, _API_VERSIONS, _INIT_PRODUCER, _AUTHENTICATE = 0, 1, 3, 17, 18, 22, 36
_VERSIONS = {
    _PRODUCE: (3, 7),
    _FETCH: (4, 4),
    _METADATA: (1, 4),
    _HANDSHAKE: (1, 1),
    _API_VERSIONS: (0, 0),
    _INIT_PRODUCER: (0, 1),
    _AUTHENTICATE: (0, 0),
}
_UNKNOWN_TOPIC, _TOO_LARGE, _CORRUPT, _OUT_OF_ORDER, _UNSUPPORTED, _AUTH_FAILED = 3, 10, 2, 45, 35, 58
_PARTITIONS = 3
_BATCH = struct.Struct(">qiibIhiqqqhii")  # base offset … count of records: the 61 bytes before the records
_AFTER_CRC = 21
_REMEMBERED = 5  # batches of a producer, as Kafka does


class Words:
    """The primitive types of a request, one after another."""

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def take(self, form: str) -> Any:
        (value,) = struct.unpack_from(">" + form, self._raw, self._at)
        self._at += struct.calcsize(">" + form)
        return value

    def raw(self, size: int) -> bytes:
        self._at += size
        return self._raw[self._at - size : self._at]

    def text(self) -> str:
        size = self.take("h")
        return self.raw(size).decode() if size >= 0 else ""

    def data(self) -> bytes:
        return self.raw(max(0, self.take("i")))


def text(value: str | None) -> bytes:
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value.encode())) + value.encode()


def many(items: list[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)


@dataclass
class Partition:
    """Batches in a file, and where each producer is."""

    path: Path
    next_offset: int = 0
    seen: dict[tuple[int, int], list[tuple[int, int, int]]] = field(default_factory=dict)  # sequences, base offset

    def __post_init__(self) -> None:
        whole = 0
        for batch in batches(self.path.read_bytes() if self.path.exists() else b""):
            self._note(batch)
            whole += len(batch)
        self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        os.ftruncate(self._file, whole)  # a torn tail of a killed broker
        os.lseek(self._file, 0, os.SEEK_END)

    def append(self, batch: bytes) -> tuple[int, int]:
        """Error and base offset."""
        *_, magic, crc, _, _, _, _, producer, epoch, first, count = _BATCH.unpack_from(batch)
        if magic != 2 or calc_crc32c(batch[_AFTER_CRC:]) != crc:
            return _CORRUPT, -1
        if producer >= 0:
            known = self.seen.get((producer, epoch), [])
            for start, end, offset in known:
                if (start, end) == (first, first + count - 1):
                    return 0, offset
            if first != (known[-1][1] + 1 if known else 0):
                return _OUT_OF_ORDER, -1
        offset = self.next_offset
        stored = struct.pack(">q", offset) + batch[8:]
        os.write(self._file, stored)
        self._note(stored)
        return 0, offset

    def _note(self, batch: bytes) -> None:
        offset, *_, last, _, _, producer, epoch, first, count = _BATCH.unpack_from(batch)
        self.next_offset = offset + last + 1
        known = self.seen.setdefault((producer, epoch), [])
        known.append((first, first + count - 1, offset))
        del known[:-_REMEMBERED]


def batches(raw: bytes) -> Iterator[bytes]:
    """The whole batches of a file."""
    at = 0
    while at + 12 <= len(raw):
        size = 12 + struct.unpack_from(">i", raw, at + 8)[0]
        if at + size > len(raw):
            return
        yield raw[at : at + size]
        at += size


def stored(folder: Path) -> Iterator[tuple[str, bytes | None, bytes]]:
    """Topic, key and value of every message that a broker keeps in a folder. Read by aiokafka's own code."""
    for path in sorted(folder.glob("*.log")):
        records = MemoryRecords(b"".join(batches(path.read_bytes())))
        while (batch := records.next_batch()) is not None:
            assert batch.validate_crc()
            for record in batch:
                yield path.stem.rpartition("-")[0], record.key, record.value


class Broker:
    def __init__(self, port: int, folder: Path, options: dict[str, Any]) -> None:
        self.port, self.folder, self.options = port, folder, options
        self.partitions: dict[tuple[str, int], Partition] = {}
        for path in folder.glob("*.log"):
            name, _, number = path.stem.rpartition("-")
            self.partitions[name, int(number)] = Partition(path)
        self.producers = itertools.count(1 + int.from_bytes(os.urandom(4), "big"))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        allowed = "user" not in self.options
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                words = Words(await reader.readexactly(size))
                api, version, correlation = words.take("h"), words.take("h"), words.take("i")
                client = words.text()
                least, most = _VERSIONS.get(api, (1, 0))
                if api == _API_VERSIONS and version > most:
                    answer = struct.pack(">h", _UNSUPPORTED) + self._versions()
                elif not least <= version <= most or not (allowed or api in (_API_VERSIONS, _HANDSHAKE, _AUTHENTICATE)):
                    return
                elif api == _AUTHENTICATE:
                    allowed = words.data() == f"\0{self.options.get('user')}\0{self.options.get('password')}".encode()
                    error, reason = (0, None) if allowed else (_AUTH_FAILED, "Authentication failed")
                    answer = struct.pack(">h", error) + text(reason) + struct.pack(">i", 0)
                else:
                    answer = self._answers[api](self, words, version, client)
                writer.write(struct.pack(">ii", len(answer) + 4, correlation) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _versions(self) -> bytes:
        return many([struct.pack(">hhh", api, *range_) for api, range_ in _VERSIONS.items()])

    def _api_versions(self, words: Words, version: int, client: str) -> bytes:
        return struct.pack(">h", 0) + self._versions()

    def _handshake(self, words: Words, version: int, client: str) -> bytes:
        return struct.pack(">h", 0 if words.text() == "PLAIN" else 33) + many([text("PLAIN")])

    def _init_producer(self, words: Words, version: int, client: str) -> bytes:
        return struct.pack(">ihqh", 0, 0, next(self.producers), 0)

    def _metadata(self, words: Words, version: int, client: str) -> bytes:
        wanted = [words.text() for _ in range(words.take("i"))]
        behind = client.rpartition("-")[2]
        port = int(behind) if behind.isdecimal() else self.port
        broker = struct.pack(">i", 1) + text("127.0.0.1") + struct.pack(">i", port) + text(None)
        topics = [self._topic(name) for name in wanted or sorted({name for name, _ in self.partitions})]
        throttle = struct.pack(">i", 0) if version >= 3 else b""
        cluster = text("test") if version >= 2 else b""
        return throttle + many([broker]) + cluster + struct.pack(">i", 1) + many(topics)

    def _topic(self, name: str) -> bytes:
        if (name, 0) not in self.partitions and not self.options.get("create", True):
            return struct.pack(">h", _UNKNOWN_TOPIC) + text(name) + b"\0" + many([])
        one = many([struct.pack(">i", 1)])
        parts = []
        for number in range(_PARTITIONS):
            if (name, number) not in self.partitions:
                self.partitions[name, number] = Partition(self.folder / f"{name}-{number}.log")
            parts.append(struct.pack(">hii", 0, number, 1) + one + one)
        return struct.pack(">h", 0) + text(name) + b"\0" + many(parts)

    def _produce(self, words: Words, version: int, client: str) -> bytes:
        words.text()  # transactional id
        assert words.take("h") == -1, "acks=all"
        words.take("i")
        topics = []
        for _ in range(words.take("i")):
            name = words.text()
            parts = []
            for _ in range(words.take("i")):
                number = words.take("i")
                error, offset = self._append(name, number, words.data())
                start = struct.pack(">q", 0) if version >= 5 else b""
                parts.append(struct.pack(">ihqq", number, error, offset, -1) + start)
            topics.append(text(name) + many(parts))
        return many(topics) + struct.pack(">i", 0)

    def _append(self, name: str, number: int, batch: bytes) -> tuple[int, int]:
        partition = self.partitions.get((name, number))
        if partition is None:
            return _UNKNOWN_TOPIC, -1
        if len(batch) > self.options.get("size_max", 1_048_588):
            return _TOO_LARGE, -1
        return partition.append(batch)

    _answers: ClassVar[dict[int, Callable[[Broker, Words, int, str], bytes]]] = {
        _PRODUCE: _produce,
        _METADATA: _metadata,
        _HANDSHAKE: _handshake,
        _API_VERSIONS: _api_versions,
        _INIT_PRODUCER: _init_producer,
    }


async def main(port: int, folder: Path, options: dict[str, Any]) -> None:
    context = None
    if "certificate" in options:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=options["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(options["certificate"], options["key"])
    server = await asyncio.start_server(Broker(port, folder, options).serve, "127.0.0.1", port, ssl=context)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])))
