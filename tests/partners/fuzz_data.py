"""Bodies, content types and whole requests that nobody should send."""

from __future__ import annotations

DEEP = 50_000  # far beyond what Python could follow by calls
BODIES = {
    "nothing": b"",
    "not JSON": b"{",
    "an array": b"[]",
    "null": b"null",
    "NaN": b'{"do":NaN}',
    "infinite": b'{"do":1e999,"number":-1e999,"days":1e999}',
    "huge numbers": b'{"do":"undo","number":' + b"9" * 5000 + b',"days":' + b"9" * 400 + b',"why":"x"}',
    "deep arrays": b'{"do":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"do":' * DEEP + b"1" + b"}" * DEEP,
    "NUL": b'{"do":"\\u0000","name":"\\u0000","why":"\\u0000"}',
    "half a surrogate": b'{"do":"\\ud800","name":"\\udfff","why":"\\ud800","who":"\\ud800"}',
    "not UTF-8": b'{"do":"\xff\xfe","name":"\xc0\x80"}',
    "UTF-16": '{"do":"test"}'.encode("utf-16"),
    "right to left": '{"do":"\u202etset","name":"\u202e\u0000\ufffe\U0010ffff","why":"a\u0301"}'.encode(),
    "types": b'{"do":[{}],"name":{},"who":[],"why":1,"from":{},"registers":[],"scopes":{},"keys":1,"table":[]}',
    "long": b'{"do":"' + b"x" * 99_000 + b'"}',
    "too long": b'{"do":"' + b"x" * 120_000 + b'"}',
}
KINDS = {  # content type: what is answered where a body is not of it
    "": 400,
    "application/json; charset=utf-7": 400,
    "application/x-www-form-urlencoded": 400,
    "text/plain": 415,
    "application/xml": 415,
    "multipart/form-data": 415,
    "multipart/form-data; boundary=x": 415,
    "\xff": 415,
}
_ABOUT = b"GET /api/v1/about HTTP/1.1\r\nHost: localhost\r\n"
_LIVE = b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n"
_LOGIN = b"POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\n"
HEADERS = {
    "no host": b"GET /api/v1/about HTTP/1.1\r\n\r\n",
    "two hosts": _ABOUT + b"Host: localhost\r\n\r\n",
    "foreign host": b"GET /api/v1/about HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "odd host": b"GET /api/v1/about HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "two authorizations": _ABOUT + b"Authorization: a b\r\nAuthorization: c d\r\n\r\n",
    "odd authorization": _ABOUT + b"Authorization: Bearer \xff\xfe\x01\r\n\r\n",
    "odd cookie": _ABOUT + b"Cookie: wattbook=\xff; =; ;;a=\"\r\n\r\n",
    "200 headers": _ABOUT + b"" + b"a: b\r\n" * 200 + b"\r\n",
    "a long header": _ABOUT + b"a: " + b"b" * 200_000 + b"\r\n\r\n",
    "a long address": b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two lengths": _LOGIN + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "a negative length": _LOGIN + b"Content-Length: -1\r\n\r\n{}",
    "a huge length": _LOGIN + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "length and chunks": _LOGIN + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a broken chunk": _LOGIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "folded": _ABOUT + b"Origin: http://\r\n evil.example\r\n\r\n",
    "NUL in a header": b"GET /api/v1/about HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    "foreign origin": _ABOUT + b"Origin: null\r\n\r\n",
    "odd method": b"BREW /api/v1/about HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "upgrade": _LIVE + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "encoded address": b"GET /api/v1/meters/%00%ff%c0%80/life HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "up the tree": b"GET /assets/..%2f..%2f..%2fapp.py HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "odd event id": _LIVE + b"Last-Event-ID: " + b"9" * 400 + b"\r\n\r\n",
}  # fmt: skip
