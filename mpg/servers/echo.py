"""Echo: every byte comes back (RFC 862).

The handler is an ordinary loop around `recv` and `sendall`. A client that sends and never reads stops its own G in
`sendall` and nobody else's: that is all the flow control an echo server needs.
"""

from __future__ import annotations

from ..net import Conn

__all__ = ["echo"]


def echo(conn: Conn) -> None:
    """Send back what comes, until the peer has sent everything."""
    while data := conn.recv():
        conn.sendall(data)
