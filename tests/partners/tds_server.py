"""A small SQL server that speaks TDS to one user: `python tds_server.py PORT FILE USER PASSWORD`, until it is ended."""

from __future__ import annotations

import socketserver
import sys
from pathlib import Path

import tds
from transact import Refusal, Session

WRONG_LOGIN = 18456


class Client(socketserver.BaseRequestHandler):
    """One connection."""

    server: Server

    def handle(self) -> None:
        session: Session | None = None
        try:
            while True:
                kind, body = tds.read_message(self._receive)
                match kind:
                    case tds.PRELOGIN:
                        answer = tds.prelogin_answer()
                    case tds.LOGIN7:
                        answer, session = self._login(tds.parse_login(body))
                    case tds.SQL_BATCH if session is not None:
                        answer = _run(session, tds.parse_batch(body))
                    case tds.ATTENTION:
                        answer = tds.done(None, attention=True)
                    case _:
                        return
                self.request.sendall(tds.packets(tds.REPLY, answer))
        except (EOFError, ConnectionError):
            return
        finally:
            if session is not None:
                session.close()

    def _login(self, login: tds.Login) -> tuple[bytes, Session | None]:
        if (login.user, login.password) != self.server.known:
            words = f"Login failed for user '{login.user}'."
            return tds.error(WRONG_LOGIN, words, severity=14) + tds.done(None, failed=True), None
        return tds.login_answer(login.database), Session(self.server.file)

    def _receive(self, size: int) -> bytes:
        raw = b""
        while len(raw) < size:
            more = self.request.recv(size - len(raw))
            if not more:
                raise EOFError
            raw += more
        return raw


class Server(socketserver.ThreadingTCPServer):
    """All connections of one database file."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, port: int, file: Path, user: str, password: str) -> None:
        self.file, self.known = file, (user, password)
        super().__init__(("127.0.0.1", port), Client)


def _run(session: Session, batch: str) -> bytes:
    try:
        answer = session.run(batch)
    except Refusal as refusal:
        return tds.error(refusal.number, str(refusal)) + tds.done(None, failed=True)
    if answer.names:
        return tds.table(answer.names, answer.rows) + tds.done(answer.count)
    return tds.done(answer.count)


if __name__ == "__main__":
    with Server(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4]) as server:
        server.serve_forever()
