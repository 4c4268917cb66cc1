"""The HTTP sink and a real server, which is killed, hangs, refuses, and wants certificates."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter

from columns_tools import batch, columns, every
from foreign_http import ForeignHttp, ForeignLector
from foreign_process import running
from wattbook.model import Batch, SinkRefused, SinkUnavailable
from wattbook.model.around import Surroundings
from wattbook.sinks import Sink, Written
from wattbook.sinks.http import HttpSettings

PRAGUE = Surroundings("house", ZoneInfo("Europe/Prague"))
AT = "2026-11-21T01:02:03Z"
NAMES = ("active_energy_import", "voltage")


def sink(server: ForeignHttp, path: str = "/readings", scheme: str = "http", **keys: Any) -> Sink:
    table = {"name": "other", "kind": "http", "url": f"{scheme}://127.0.0.1:{server.port}{path}", **keys}
    return TypeAdapter(HttpSettings).validate_python(table).make(PRAGUE)


async def write(to: Sink, what: Batch) -> Written:
    try:
        return await to.write(what, "")
    finally:
        await to.aclose()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForeignHttp]:
    with running(ForeignHttp(tmp_path)) as found:
        yield found


@pytest.mark.parametrize("many", [False, True])
async def test_every_reading_is_there(server: ForeignHttp, many: bool) -> None:
    meters = [every(f"m{number}", AT, 100, names=NAMES) for number in range(10)]
    done = await write(sink(server, many=many), batch(*meters))
    assert done == Written()
    rows = server.rows()
    assert len(rows) == 1000 and sum(value for _, _, value in rows) == 10 * sum(n + 0.5 for n in range(100))


async def test_a_server_killed_in_mid_batch_has_everything_once_afterwards(server: ForeignHttp) -> None:
    to = sink(server)
    what = batch(*(every(f"m{number}", AT, 500, names=NAMES) for number in range(10)))
    writing = asyncio.create_task(to.write(what, ""))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.kill)
    with pytest.raises(SinkUnavailable):
        await writing
    with pytest.raises(SinkUnavailable, match=r"127.0.0.1.*no connection"):
        await to.write(what, "")
    await asyncio.to_thread(server.start)
    await write(to, what)
    assert len(server.rows()) == 5000


async def test_a_server_that_accepts_and_hangs_keeps_nothing_open() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # until the other side goes
        gone.set()
        writer.close()

    gone = asyncio.Event()
    hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    to = TypeAdapter(HttpSettings).validate_python(
        {"name": "x", "kind": "http", "url": f"http://127.0.0.1:{port}/"}
    ).make(PRAGUE)  # fmt: skip
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(to.write(batch(every("a", AT, 20)), ""), 0.3)
    await asyncio.wait_for(gone.wait(), 10)
    await to.aclose()
    hanging.close()


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 503])
async def test_what_may_become_good_later(server: ForeignHttp, status: int) -> None:
    with pytest.raises(SinkUnavailable, match=rf"/say/{status}: {status} .*: so it is \(again after 30\)"):
        await write(sink(server, f"/say/{status}"), batch(every("a", AT, 3)))


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_will_never_be_taken(server: ForeignHttp, status: int) -> None:
    done = await write(sink(server, f"/say/{status}"), batch(every("a", AT, 3)))
    assert len(done.rejected) == 3 and done.rejected[0].reason.startswith(str(status))
    with pytest.raises(SinkRefused):
        await write(sink(server, f"/say/{status}", many=True), batch(every("a", AT, 3)))
    assert len((await write(sink(server, f"/say/{status}", many=True), batch(every("a", AT, 1)))).rejected) == 1


async def test_one_reading_is_refused_and_the_others_are_there(server: ForeignHttp) -> None:
    what = batch(every("a", AT, 3, names=NAMES), every("negative", AT, 1), every("b", AT, 3, names=NAMES))
    (refused,) = (await write(sink(server, token="a-secret"), what)).rejected
    assert (refused.meter, refused.reason) == (
        "negative", "422 Unprocessable Entity: no negative meters Bearer ***",
    )  # fmt: skip
    assert len(server.rows()) == 6


async def test_409_is_done(server: ForeignHttp) -> None:
    assert await write(sink(server, "/say/409"), batch(every("a", AT, 3))) == Written(skipped=3)


@pytest.mark.parametrize(
    ("keys", "header"),
    [
        ({"username": "anna", "password": "pässword"}, {"Authorization": "Basic YW5uYTpww6Rzc3dvcmQ="}),
        ({"token": "t"}, {"Authorization": "Bearer t"}),
        ({"headers": {"X-Key": "k"}, "method": "PUT"}, {"X-Key": "k"}),
    ],
)
async def test_headers_and_methods(server: ForeignHttp, keys: Mapping[str, Any], header: Mapping[str, str]) -> None:
    await write(sink(server, "/echo/{meter}?at={at:epoch}", **keys), batch(every("a b", AT, 1)))
    ((method, path, headers, _),) = server.asked("SELECT * FROM request")
    assert (method, path) == (keys.get("method", "POST"), "/echo/a%20b?at=1795222923.0")
    found = json.loads(headers)
    assert header.items() <= found.items()
    assert found["Content-Type"] == "application/json"
    assert found["Idempotency-Key"].startswith("house/a%20b/2026-11-21T01:02:03.000Z-")


async def test_lectors_centre(tmp_path: Path) -> None:
    with running(ForeignLector(tmp_path)) as server:
        keys: Any = {"path": "", "format": "lector", "node": "7", "model": "PM710"}
        what = batch(every("3", AT, 50, names=NAMES))
        assert await write(sink(server, **keys), what) == Written()
        assert await write(sink(server, **keys), what) == Written(skipped=50)
        ((where, time_, body), *_) = server.asked("SELECT * FROM reading ORDER BY at")
        assert (where, time_) == ("7/3", "21/11/2026 02:02:03")
        assert json.loads(body) == {"DATA_HORA": time_, "LECTURA": '{"CEA":[0.0005]}', "MODEL": "PM710"}
        with pytest.raises(SinkUnavailable, match="404 Not Found"):
            await write(sink(server, **keys), batch(columns("unknown", (AT, {"frequency": 50}))))


async def test_tls_with_a_client_certificate(tmp_path: Path, certificates: Path) -> None:
    paths = {name: certificates / name for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}
    with running(ForeignHttp(tmp_path, [paths["server.crt"], paths["server.key"], paths["ca.crt"]])) as server:
        own = {"certificate": paths["client.crt"], "key": paths["client.key"]}
        await write(sink(server, scheme="https", ca=paths["ca.crt"], **own), batch(every("a", AT, 3, names=NAMES)))
        assert len(server.rows()) == 3
        with pytest.raises(SinkUnavailable, match="certificate is not trusted"):
            await write(sink(server, scheme="https", **own), batch(every("a", AT, 1)))
        with pytest.raises(SinkUnavailable):
            await write(sink(server, scheme="https", ca=paths["ca.crt"]), batch(every("a", AT, 1)))


async def test_a_backlog_drains_fast(server: ForeignHttp) -> None:
    """Printed, not judged: 8 requests at once against one."""
    for keys in ({"in_flight": 1}, {"in_flight": 8}, {"many": True}):
        begun = time.perf_counter()
        await write(sink(server, **keys), batch(every("a", AT, 2000, names=NAMES)))
        print(keys, round(2000 / (time.perf_counter() - begun)), "readings/s")
