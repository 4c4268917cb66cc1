"""A server that takes readings as JSON and as Lector's forms, keeps them in a file, and survives kill -9.

python http_server.py PORT FILE [CERTIFICATE KEY CA]
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import ssl
import sys
from pathlib import Path

from aiohttp import web

BODY_SIZE_MAX = 1_000_000
FILE: web.AppKey[sqlite3.Connection] = web.AppKey("file", sqlite3.Connection)


def opened(path: Path) -> sqlite3.Connection:
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = OFF")  # a killed process is no lost power
    file.execute("CREATE TABLE IF NOT EXISTS reading (meter, at, body, PRIMARY KEY (meter, at))")
    file.execute("CREATE TABLE IF NOT EXISTS request (method, path, headers, body)")
    return file


async def take(request: web.Request) -> web.Response:
    """Readings as JSON: one or many, each under its identity."""
    found = await request.json()
    rows = found if isinstance(found, list) else [found]
    if any("negative" in row["meter"] for row in rows):
        return web.Response(status=422, text="no negative meters\n" + request.headers.get("Authorization", ""))
    request.app[FILE].executemany(
        "INSERT OR REPLACE INTO reading VALUES (?, ?, ?)", [(row["meter"], row["at"], json.dumps(row)) for row in rows]
    )
    return web.Response(status=201)


async def save(request: web.Request) -> web.Response:
    """A reading as Lector's clientRest sends it."""
    form = await request.post()
    where = f"{request.match_info['node']}/{request.match_info['analyser']}"
    if where.endswith("unknown"):
        return web.Response(status=404)
    try:
        json.loads(str(form["LECTURA"]))
        body = json.dumps(dict(form))  # type: ignore[arg-type]
        request.app[FILE].execute("INSERT INTO reading VALUES (?, ?, ?)", (where, form["DATA_HORA"], body))
    except KeyError:
        return web.Response(status=400, text="1#DATA_HORA")
    except sqlite3.IntegrityError:
        return web.Response(status=409, text="#already")
    return web.Response(status=201, text="#Saved:1")


async def say(request: web.Request) -> web.Response:
    """Answer the status that is asked for."""
    return web.Response(status=int(request.match_info["status"]), text="so\n it is", headers={"Retry-After": "30"})


async def echo(request: web.Request) -> web.Response:
    """Keep what was asked."""
    headers = json.dumps(dict(request.headers))
    request.app[FILE].execute(
        "INSERT INTO request VALUES (?, ?, ?, ?)", (request.method, request.path_qs, headers, await request.text())
    )
    return web.Response()


async def serve(port: int, path: Path, tls: ssl.SSLContext | None) -> None:
    app = web.Application(client_max_size=BODY_SIZE_MAX)
    app[FILE] = opened(path)
    app.router.add_route("*", "/readings", take)
    app.router.add_post("/ws/v2/history/save/{node}/{analyser}/", save)
    app.router.add_route("*", "/say/{status}", say)
    app.router.add_route("*", "/echo{rest:.*}", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    await asyncio.Event().wait()


def main(port: str, file: str, *certificate: str) -> None:
    tls = None
    if certificate:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*certificate[:2])
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(certificate[2])
    asyncio.run(serve(int(port), Path(file), tls))


if __name__ == "__main__":
    main(*sys.argv[1:])
