"""mpg.net: TCP for G's. Calls look blocking; a G that waits for the network lets the others run.

    listener = mpg.net.listen("127.0.0.1:7777")
    for conn in listener:
        mpg.go(handle, conn)

or, with limits, draining and accounting, `mpg.net.serve("127.0.0.1:7777", handle)`.
"""

from .conn import Conn
from .dial import dial
from .listener import Listener, listen
from .server import Server, ServerStats, serve

__all__ = ["Conn", "Listener", "Server", "ServerStats", "dial", "listen", "serve"]
