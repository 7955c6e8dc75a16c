"""The accept loop: one G per connection, whose code reads from top to bottom.

    python examples/accept_loop.py [PORT]       then, in another terminal: nc 127.0.0.1 PORT

A line protocol: every line comes back in capitals, "quit" ends the connection. Compare it with epoll_by_hand.py, the
same service without mpg.

`mpg.net.serve(addr, handle)` is this loop with everything around it that a service needs: it closes connections,
logs what handlers raise, limits how many run, and drains on SIGTERM. SIGTERM simply kills this program.
"""

import sys

import mpg

MAX_LINE = 1024  # bytes


def handle(conn):
    with conn, conn.makefile("rb") as lines:
        conn.sendall(b"a line, please\n")
        while (line := lines.readline(MAX_LINE)).endswith(b"\n"):
            if line.strip() == b"quit":
                conn.sendall(b"goodbye\n")
                break
            conn.sendall(line.upper())


def handle_quietly(conn):
    """A G that fails ends the program, as in Go; a client that is gone is no reason to."""
    try:
        handle(conn)
    except ConnectionError as exc:
        print(f"{conn.remote_addr}: {exc}", file=sys.stderr)


def main(port):
    with mpg.net.listen(f"127.0.0.1:{port}") as listener:
        print(f"listening on 127.0.0.1:{listener.addr[1]}", flush=True)
        for conn in listener:
            mpg.go(handle_quietly, conn)


if __name__ == "__main__":
    mpg.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
