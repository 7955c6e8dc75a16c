"""A chat server: the complete example of a TCP service that has state.

    python examples/chat_server.py [PORT]       then, in two other terminals: nc 127.0.0.1 PORT

The program itself is mpg/servers/chat.py, the service of `mpg serve chat`: read it from the top, its comments are the
tour. It shows a G that owns the state instead of a lock, channels to it and from it, what to do about members that
do not read, a `done` channel, and an orderly end on SIGTERM. What is left for a main program is here.
"""

import sys

import mpg
from mpg.servers import ChatServer


def main(port):
    listener = mpg.net.listen(f"127.0.0.1:{port}")
    server = ChatServer(listener, max_conns=1000, drain=5.0)
    print(f"listening on 127.0.0.1:{listener.addr[1]}", flush=True)
    stats = server.serve()  # until SIGTERM; Ctrl-C raises KeyboardInterrupt here
    print(f"{stats.accepted} came, at most {stats.peak} at once")


if __name__ == "__main__":
    mpg.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
