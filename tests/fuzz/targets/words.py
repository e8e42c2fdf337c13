"""Pieces of HTTP that mean something to some parser, for the targets that read HTTP."""

from __future__ import annotations

SHARED = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b"\t", b": ", b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b"HTTP/1.1 ",
    b"HTTP/1.1", b"HTTP/0.9", b"HTTP/2.0",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Content-Length: +3\r\n", b"Content-Length: 3, 3\r\n",
    b"Content-Length : 3\r\n", b"Content-Length: 18446744073709551616\r\n", b"Content_Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"Transfer-Encoding:\r\n chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: x-a, upgrade\r\n", b"Keep-Alive: t=5\r\n",
    b"Upgrade: h2c\r\n", b"TE: trailers\r\n", b"Trailer: X-Sum\r\n", b"X-A: b\r\n", b" folded\r\n", b": no name\r\n",
    b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nX-Sum: 1\r\n\r\n", b"3;x=\"\r\n\"\r\nabc\r\n", b"abc",
    b"ffffffffffffffff\r\n", b"\0", b"\xff", b"a" * 70, b"X: " + b"v" * 500 + b"\r\n",
)  # fmt: skip

REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"HEAD ", b"GET ", b"POST ", b"OPTIONS ", b"CONNECT ", b"PRI ", b"TRACE ",
    b"OPTIONS * HTTP/1.1\r\n", b"GET http://h/a?b HTTP/1.1\r\n", b"Host: h\r\n", b"Host: \r\n", b"Host: h:80\r\n",
    b"Expect: 100-continue\r\n", b"Expect: x\r\n", b"Origin: https://shop.example.com\r\n", b"Accept: text/html\r\n",
    b"X-Forwarded-For: 10.0.0.1\r\n", b"X_Forwarded_For: 10.0.0.1\r\n", b"X-Request-Id: a\r\n", b"Via: 1.0 x\r\n",
    b"Access-Control-Request-Method: PUT\r\n", b"Access-Control-Request-Headers: a, b\r\n", b"Forwarded: for=x\r\n",
    *SHARED,
)  # fmt: skip

ANSWERS = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 304 Not Modified\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n", b"HTTP/1.1 101 Up\r\n",
    b"HTTP/1.1 502 Bad\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200\r\n", b"HTTP/1.1 099 x\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"Date: now\r\n", b"Server: x\r\n", b"Set-Cookie: a=b\r\n",
    b"Access-Control-Allow-Origin: *\r\n", b"X-Request-Id: b\r\n", *SHARED,
)  # fmt: skip
