"""mpg.servers: the TCP services behind `mpg serve`, each a complete small program on `mpg.net`.

| module       | service                                                                       |
|--------------|-------------------------------------------------------------------------------|
| `echo`       | sends back what it receives                                                   |
| `http_hello` | answers every HTTP/1.1 GET with "Hello, World!", for load tools               |
| `chat`       | a chat room for `nc` and `telnet`: the commented tour of a service with state |

Rules: a service here uses only what any program could import, in the style a program should have. It never prints.
SERVICES maps the names that the command line knows to functions that make a Server on a listener.
"""

from __future__ import annotations

from collections.abc import Callable

from ..net import Listener, Server
from .chat import ChatServer
from .echo import echo
from .http_hello import http_hello

__all__ = ["SERVICES", "ChatServer", "echo", "http_hello"]


def echo_server(listener: Listener, *, max_conns: int | None = None, drain: float = 5.0) -> Server:
    return Server(listener, echo, max_conns=max_conns, drain=drain)


def http_hello_server(listener: Listener, *, max_conns: int | None = None, drain: float = 5.0) -> Server:
    return Server(listener, http_hello, max_conns=max_conns, drain=drain)


SERVICES: dict[str, Callable[..., Server]] = {
    "echo": echo_server,
    "chat": ChatServer,
    "http-hello": http_hello_server,
}
