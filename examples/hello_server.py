"""An echo server and three clients in one program: the first thing to run.

    python examples/hello_server.py

Every call looks blocking. A G that waits, for the network or for a channel, lets the others run.
"""

import mpg


def handle(conn):
    with conn:
        while data := conn.recv():
            conn.sendall(data)


def server(listener):
    for conn in listener:
        mpg.go(handle, conn)


def client(name, addr, replies):
    with mpg.net.dial(addr) as conn:
        conn.sendall(f"hello from {name}".encode())
        replies.send(conn.recv().decode())


def main():
    replies = mpg.Chan()
    with mpg.net.listen("127.0.0.1:0") as listener:
        mpg.go(server, listener)
        for name in ("Ann", "Bob", "Eve"):
            mpg.go(client, name, listener.addr, replies)
        for _ in range(3):
            print("the server sent back:", replies.recv())


if __name__ == "__main__":
    mpg.run(main)
