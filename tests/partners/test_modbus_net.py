"""Modbus over the network, against servers that are not ours: TLS, RTU over TCP, gateways shared and stubborn."""

from __future__ import annotations

import asyncio
import itertools
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import ModbusTcpServer, ModbusTlsServer

from test_lines import PZEM, WAIT_S, Notebook, eventually, status, until
from wattbook.cli.main import run_command
from wattbook.codecs.modbus import EXCEPTION_WORDS
from wattbook.engine.collect import LineTask, MeterTask, SerialLine, TcpLine, make_line
from wattbook.engine.once import read_once
from wattbook.model import ConfigError, SystemClock, Unreachable
from wattbook.profiles import SerialSettings
from wattbook.transports.tls import TlsSettings

pytestmark = pytest.mark.enable_socket

WORDS = {4: (2301, 1500, 0, 3450, 0, 4711, 0, 500, 98), 5: (2299, 500, 0, 1150, 0, 815, 0, 501, 97)}
READ = bytes.fromhex("04 0000 0009")


def context() -> ModbusServerContext:
    devices = {unit: ModbusDeviceContext(ir=ModbusSequentialDataBlock(1, [*words, 0])) for unit, words in WORDS.items()}
    return ModbusServerContext(devices=devices, single=False)


@contextmanager
def running(make: Callable[[], ModbusTcpServer]) -> Iterator[int]:
    """A server of pymodbus in a thread of its own; its port."""
    ready = threading.Event()
    made: list[tuple[asyncio.AbstractEventLoop, ModbusTcpServer, int]] = []

    async def serve() -> None:
        server = make()
        task = asyncio.create_task(server.serve_forever(background=False))
        while server.transport is None:
            await asyncio.sleep(0.01)
        made.append((asyncio.get_running_loop(), server, server.transport.sockets[0].getsockname()[1]))
        ready.set()
        await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(WAIT_S)
    loop, server, port = made[0]
    try:
        yield port
    finally:
        asyncio.run_coroutine_threadsafe(server.shutdown(), loop).result(WAIT_S)
        thread.join(WAIT_S)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two authorities; a server and a client of the first, and a server with another name."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for name in ("ca", "other-ca"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    for name, alternative in (("server", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere.example"), ("client", "")):
        signed = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", f"subjectAltName={alternative or 'DNS:client'}"]
        openssl("req", "-x509", *key, *signed, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}")
    return folder


@contextmanager
def tls_server(folder: Path, name: str = "server", *, ask: bool = False) -> Iterator[str]:
    """pymodbus' Modbus/TCP Security server; with `ask` it wants a certificate of its clients."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")
    if ask:
        server.verify_mode = ssl.CERT_REQUIRED
        server.load_verify_locations(folder / "ca.crt")
    with running(lambda: ModbusTlsServer(context(), address=("127.0.0.1", 0), sslctx=server)) as port:
        yield f"tls://127.0.0.1:{port}"


def ours(folder: Path, ca: str = "ca", client: str = "") -> TlsSettings:
    pair = (str(folder / f"{client}.crt"), str(folder / f"{client}.key")) if client else ("", "")
    return TlsSettings(str(folder / f"{ca}.crt"), *pair)


def read_tls(port: str, tls: TlsSettings) -> float:
    return read_once(port, PZEM, 4, clock=SystemClock(), tls=tls).values["voltage"]


@pytest.mark.parametrize("ask", [False, True])
def test_modbus_over_tls(certificates: Path, ask: bool) -> None:
    with tls_server(certificates, ask=ask) as port:
        assert read_tls(port, ours(certificates, client="client" if ask else "")) == 230.1


async def test_a_tls_line_collects(certificates: Path) -> None:
    keeper = Notebook()
    with tls_server(certificates, ask=True) as port:
        meters = (MeterTask("m4", PZEM, 4), MeterTask("m5", PZEM, 5))
        line = make_line(
            LineTask("net", (port,), meters, keeper, SystemClock(), tls=ours(certificates, client="client"))
        )
        assert isinstance(line, TcpLine)
        line.start()
        try:
            await eventually(lambda: len(keeper.of("m4")) > 10 and len(keeper.of("m5")) > 10)
        finally:
            await line.stop()
    assert {reading.values["voltage"] for reading in keeper.of("m5")} == {229.9}


def test_what_tls_refuses_is_one_clear_line(certificates: Path) -> None:
    with tls_server(certificates) as port:
        with pytest.raises(Unreachable, match=r'not trusted .*; name its authority with "ca"'):
            read_tls(port, ours(certificates, "other-ca"))
        with pytest.raises(Unreachable, match="not trusted"):
            read_tls(port, TlsSettings())  # the system's authorities do not know it either
    with (
        tls_server(certificates, "elsewhere") as port,
        pytest.raises(Unreachable, match="its certificate is for another name"),
    ):
        read_tls(port, ours(certificates))
    with (
        tls_server(certificates, ask=True) as port,
        pytest.raises(Unreachable, match='does it ask for a "certificate" of ours'),
    ):
        read_tls(port, ours(certificates))


def test_a_plain_server_is_told_from_a_tls_one(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wattbook.transports.stream._GREETING_S_MAX", 0.5)
    with (
        running(lambda: ModbusTcpServer(context(), address=("127.0.0.1", 0))) as port,
        pytest.raises(Unreachable, match=r"is it plain tcp:// there\?"),
    ):
        read_tls(f"tls://127.0.0.1:{port}", ours(certificates))
    with socket.create_server(("127.0.0.1", 0)) as talkative:

        def greet() -> None:
            with talkative.accept()[0] as connection:
                connection.sendall(b"220 hello\r\n")
                connection.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(Unreachable, match="it does not speak TLS"):
            read_tls(f"tls://127.0.0.1:{talkative.getsockname()[1]}", ours(certificates))
        thread.join(WAIT_S)


def test_wrong_certificate_files_are_told(certificates: Path) -> None:
    with pytest.raises(ConfigError, match="no such certificate file"):
        read_tls("tls://127.0.0.1", TlsSettings(str(certificates / "nix.crt")))
    with pytest.raises(ConfigError, match='no use without the "certificate"'):
        read_tls("tls://127.0.0.1", TlsSettings(key_file=str(certificates / "client.key")))
    with pytest.raises(ConfigError, match="cannot be used for TLS"):
        read_tls("tls://127.0.0.1", TlsSettings(str(certificates / "client.key")))


def test_a_command_reads_over_tls(certificates: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with tls_server(certificates) as port:
        asked = ["read", port, "--model", "pzem-016", "--address", "4", "--json"]
        assert run_command([*asked, "--ca", str(certificates / "ca.crt")]) == 0
        assert '"voltage":230.1' in capsys.readouterr().out
        assert run_command([*asked, "--ca", str(certificates / "other-ca.crt")]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_rtu_over_tcp_against_pymodbus() -> None:
    keeper = Notebook()
    with running(lambda: ModbusTcpServer(context(), framer=FramerType.RTU, address=("127.0.0.1", 0))) as port:
        meters = (MeterTask("m4", PZEM, 4), MeterTask("m5", PZEM, 5))
        address = f"rtu+tcp://127.0.0.1:{port}"
        line = make_line(LineTask("net", (address,), meters, keeper, SystemClock(), SerialSettings(baud=115_200)))
        assert isinstance(line, SerialLine)
        line.start()
        try:
            until(lambda: len(keeper.of("m4")) > 10 and len(keeper.of("m5")) > 10)
        finally:
            line.stop()
        assert read_once(address, PZEM, 5, clock=SystemClock()).values["voltage"] == 229.9
    for unit, volts in ((4, 230.1), (5, 229.9)):
        assert {reading.values["voltage"] for reading in keeper.of(f"m{unit}")} == {volts}


Answer = Callable[[bytes], Awaitable[bytes]]  # the frame of a request -> what the gateway sends


def frame(request: bytes, pdu: bytes) -> bytes:
    return request[:4] + (len(pdu) + 1).to_bytes(2, "big") + request[6:7] + pdu


def registers(request: bytes) -> bytes:
    """The answer of a healthy meter."""
    return frame(request, b"\x04\x12" + b"".join(word.to_bytes(2, "big") for word in WORDS[request[6]]))


@asynccontextmanager
async def gateway(answer: Answer, *, connections_max: int = 99) -> AsyncIterator[tuple[str, list[int]]]:
    """A gateway with one line behind it: one request at a time. Its address, and how often it was called."""
    line, calls, open_now = asyncio.Lock(), [0], set[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls[0] += 1
        if len(open_now) >= connections_max:
            writer.close()
            return
        open_now.add(writer)
        try:
            while request := await reader.readexactly(12):
                assert request[7:] == READ
                async with line:
                    writer.write(await answer(request))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            open_now.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}", calls
    finally:
        server.close()
        for writer in open_now:
            writer.close()
        await asyncio.sleep(0.1)  # for the last connections to be closed on both sides


@asynccontextmanager
async def lines(address: str, *meters: Sequence[MeterTask]) -> AsyncIterator[tuple[list[TcpLine], Notebook]]:
    """Lines on one gateway, as of several programs."""
    keeper = Notebook()
    made = [
        TcpLine(LineTask(f"l{n}", (address,), tuple(on_line), keeper, SystemClock()))
        for n, on_line in enumerate(meters)
    ]
    for line in made:
        line.start()
    try:
        yield made, keeper
    finally:
        for line in made:
            await line.stop()


M4, M5 = MeterTask("m4", PZEM, 4), MeterTask("m5", PZEM, 5)


def check_values(keeper: Notebook) -> None:
    for unit, words in WORDS.items():
        assert {reading.values["voltage"] for reading in keeper.of(f"m{unit}")} == {words[0] / 10}


async def test_several_programs_share_a_gateway() -> None:
    async def answer(request: bytes) -> bytes:
        await asyncio.sleep(0.02)
        return registers(request)

    async with gateway(answer) as (address, _), lines(address, [M4], [M5], [M4, M5]) as (_, keeper):
        await eventually(lambda: len(keeper.of("m4")) > 10 and len(keeper.of("m5")) > 10)
    check_values(keeper)
    assert keeper.events == []


async def test_late_answers_are_dropped_and_cost_no_connection() -> None:
    """Every fifth answer comes after the time-out, together with the next one."""
    numbers = itertools.count(1)

    async def answer(request: bytes) -> bytes:
        if next(numbers) % 5 == 0:
            await asyncio.sleep(0.7)
        return registers(request)

    async with gateway(answer) as (address, calls), lines(address, [M4, M5]) as (_, keeper):
        await eventually(lambda: len(keeper.of("m4")) > 8 and len(keeper.of("m5")) > 8)
        assert calls == [1]
    check_values(keeper)


async def test_a_gateway_with_room_for_one_is_told_in_words() -> None:
    async def answer(request: bytes) -> bytes:
        return registers(request)

    async with gateway(answer, connections_max=1) as (address, _), lines(address, [M4]) as ([first], keeper):
        await eventually(lambda: len(keeper.of("m4")) > 3)
        async with lines(address, [M5]) as ([second], _):
            await eventually(lambda: status(second, "m5").state == "away")
            assert "it may serve only few at a time" in status(second, "m5").reason
        assert status(first, "m4").state == "present"


async def test_a_gateway_that_serves_one_after_the_other_is_told_in_words() -> None:
    async def answer(request: bytes) -> bytes:
        await asyncio.sleep(3600)
        return b""

    async with gateway(answer) as (address, _), lines(address, [M4]) as ([line], _):
        await eventually(lambda: status(line, "m4").state == "away")
        assert "busy with another program" in status(line, "m4").reason


async def test_a_device_that_closes_the_connection_after_each_answer_is_not_called_away() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(registers(await reader.readexactly(12)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    slow = MeterTask("m4", PZEM, 4, every_s=0.2)
    async with lines(address, [slow]) as ([line], keeper):
        await eventually(lambda: len(keeper.of("m4")) > 5)
        assert status(line, "m4").state == "present"
        assert keeper.events == []
    server.close()
    await asyncio.sleep(0.1)


@pytest.mark.parametrize("code", [10, 11])
async def test_exceptions_of_a_gateway_are_told_in_words(code: int) -> None:
    async def answer(request: bytes) -> bytes:
        return frame(request, bytes((0x84, code))) if request[6] == 5 else registers(request)

    async with gateway(answer) as (address, calls), lines(address, [M4, M5]) as ([line], keeper):
        await eventually(lambda: status(line, "m5").state == "away" and len(keeper.of("m4")) > 3)
        assert f"exception {code} ({EXCEPTION_WORDS[code]})" in status(line, "m5").reason
        assert status(line, "m4").state == "present"
        assert status(line, "m5").counters.refused >= 3
        assert calls == [1]
