"""Addresses: "host:port" or tuples, and their resolution, which may block and so has threads of its own."""

from __future__ import annotations

import socket
from typing import Any

from ..current import tls
from ..plain import HOST_WORLD
from ..sched.syscall import call_on_spare
from .fd import net_error

__all__ = ["Address", "parse", "resolve", "text_of"]

Address = str | tuple[str, int] | tuple[str, int, int, int]


def parse(addr: Address) -> tuple[str, int]:
    """Split into host and port. "[::1]:80" is IPv6, ":80" means every interface.

    Raises:
        TypeError, ValueError: it is no address.
    """
    if isinstance(addr, tuple) and len(addr) in (2, 4):
        host, port = addr[0], addr[1]
        if isinstance(host, str) and isinstance(port, int) and not isinstance(port, bool):
            if len(addr) == 4 and addr[3]:
                host = f"{host}%{addr[3]}"  # the scope of a link-local address
            return host, check_port(port, addr)
    elif isinstance(addr, str):
        host, colon, service = addr.rpartition(":")
        if not colon:
            raise ValueError(f"missing port in address {addr!r}")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif addr.startswith("["):
            raise ValueError(f"missing {'port' if addr.endswith(']') else repr(']')} in address {addr!r}")
        elif ":" in host:
            raise ValueError(f"too many colons in address {addr!r}: an IPv6 host stands in brackets")
        if not (service.isascii() and service.isdigit()):
            raise ValueError(f"the port of {addr!r} is not a number")
        return host, check_port(int(service), addr)
    raise TypeError(f'an address is "host:port" or (host, port), not {addr!r}')


def check_port(port: int, addr: Address) -> int:
    if not 0 <= port <= 65535:
        raise ValueError(f"the port of {addr!r} is not within 0 to 65535")
    return port


def resolve(host: str, port: int, *, passive: bool = False) -> list[tuple[Any, Any]]:
    """(family, socket address) pairs to try in this order. Blocks only the calling G.

    Raises:
        socket.gaierror: no such host.
    """
    flags = socket.AI_PASSIVE if passive else 0
    try:
        infos = socket.getaddrinfo(
            host or None, port, 0, socket.SOCK_STREAM, 0, flags | socket.AI_NUMERICHOST
        )
    except socket.gaierror:
        mp = tls.m
        if mp.world != HOST_WORLD:
            raise net_error(mp) from None
        args = (host, port, 0, socket.SOCK_STREAM, 0, flags)
        if mp.curg is None:
            infos = socket.getaddrinfo(*args)
        else:
            infos = call_on_spare(mp.sched.port.dns.submit, socket.getaddrinfo, args, {})
    return [(family, sockaddr) for family, _, _, _, sockaddr in infos]


def text_of(addr: Any) -> str:
    """`host:port`, as it is written everywhere."""
    if not isinstance(addr, tuple) or len(addr) < 2:
        return str(addr)
    host = f"[{addr[0]}]" if ":" in addr[0] else addr[0]
    return f"{host}:{addr[1]}"
