"""HTTP hello: the smallest server that load tools accept as HTTP/1.1.

Rules:

* GET and HEAD of any path are answered with one text; other methods with 405, and what is no HTTP with 400.
* Connections are kept alive as RFC 9112 says: in 1.1 unless the client says "close", in 1.0 if it says
  "keep-alive". Pipelined requests are answered in order, together.
* A request's head has at most MAX_HEAD bytes, else 431. Requests with a body are not read but refused, and every
  error ends the connection: the server no longer knows where the next request would begin.
* A client that is silent for IDLE seconds is cut off. The deadline is renewed every RENEW seconds at most, because
  a busy connection should not pay for it.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from ..net import Conn
from ..timer import now

__all__ = ["http_hello"]

MAX_HEAD = 8192  # bytes
IDLE = 60.0  # seconds
RENEW = 5.0

BODY = b"Hello, World!\n"
HEAD_END = b"\r\n\r\n"


class BadRequest(Exception):
    """The request cannot be answered but by an error."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


def response(status: HTTPStatus, body: bytes, *fields: str) -> bytes:
    """A whole answer; `fields` are extra header lines."""
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "Content-Type: text/plain",
        f"Content-Length: {len(body)}",
        *fields,
    ]
    return "\r\n".join(lines).encode("ascii") + HEAD_END + body


def variants(*fields: str) -> tuple[bytes, bytes]:
    """The answers to GET and to HEAD."""
    whole = response(HTTPStatus.OK, BODY, *fields)
    return whole, whole.removesuffix(BODY)


# Every answer is known beforehand, by (version, keep-alive).
ANSWERS = {
    (b"HTTP/1.1", True): variants(),
    (b"HTTP/1.1", False): variants("Connection: close"),
    (b"HTTP/1.0", True): variants("Connection: keep-alive"),
    (b"HTTP/1.0", False): variants("Connection: close"),
}


def http_hello(conn: Conn) -> None:
    """Answer requests until the client has had enough."""
    pending = b""  # received and not answered yet
    renewed = float("-inf")
    keep_alive = True
    while keep_alive:
        if now() - renewed > RENEW:
            renewed = now()
            conn.set_deadline(IDLE)  # nor may it leave our answers unread
        try:
            data = conn.recv()
        except TimeoutError:
            return
        if not data:
            return
        *heads, pending = (pending + data).split(HEAD_END)
        out = []
        try:
            for head in heads:
                answer, keep_alive = reply(head)
                out.append(answer)
                if not keep_alive:
                    break
            if keep_alive and len(pending) > MAX_HEAD:
                raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        except BadRequest as exc:
            out.append(refusal(exc.status))
            keep_alive = False
        if out:
            conn.sendall(b"".join(out))
    linger(conn)


def reply(head: bytes) -> tuple[bytes, bool]:
    """The answer to one request, and whether the connection is kept alive."""
    if len(head) > MAX_HEAD:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    line, *fields = head.lstrip(b"\r\n").split(b"\r\n")
    words = line.split(b" ")
    if len(words) != 3 or not words[1]:
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    method, _, version = words
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        known = version.startswith(b"HTTP/")
        raise BadRequest(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED if known else HTTPStatus.BAD_REQUEST)
    keep_alive = version == b"HTTP/1.1"
    hosts = 0
    body = False
    for field in fields:
        name, colon, value = field.partition(b":")
        if not colon or not name or name != name.strip():  # "Name : value" hides requests from proxies
            raise BadRequest(HTTPStatus.BAD_REQUEST)
        match name.lower():
            case b"host":
                hosts += 1
            case b"connection":
                options = {option.strip() for option in value.lower().split(b",")}
                keep_alive = b"close" not in options and (keep_alive or b"keep-alive" in options)
            case b"transfer-encoding":
                body = True
            case b"content-length":
                body = body or value.strip() != b"0"
    if hosts > 1 or (version == b"HTTP/1.1" and not hosts):
        raise BadRequest(HTTPStatus.BAD_REQUEST)
    if method not in (b"GET", b"HEAD"):
        raise BadRequest(HTTPStatus.METHOD_NOT_ALLOWED)
    if body:
        raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return ANSWERS[version, keep_alive][method == b"HEAD"], keep_alive


def refusal(status: HTTPStatus) -> bytes:
    fields = ["Connection: close"]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append("Allow: GET, HEAD")
    return response(status, f"{status.phrase}\n".encode("ascii"), *fields)


def linger(conn: Conn) -> None:
    """Read what still comes, for a second at most: closing with unread data would destroy the answer under way."""
    with suppress(OSError):  # it may have gone already
        conn.close_write()
        conn.set_read_deadline(1.0)
        while conn.recv():
            pass
