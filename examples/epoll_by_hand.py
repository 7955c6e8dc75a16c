"""The service of accept_loop.py without mpg: nonblocking sockets and an epoll loop, by hand.

    python examples/epoll_by_hand.py [PORT]       then, in another terminal: nc 127.0.0.1 PORT

What mpg does out of sight is all here in the open: which events to ask for, input that ends in the middle of a
line, output that does not fit, a client that sends but does not read. And the conversation has no place of its own:
where each client stands must be kept in fields, because `handle` must return after every event.
"""

import select
import socket
import sys

MAX_LINE = 1024  # bytes
MAX_OUTPUT = 65536  # stop reading from a client that is so far behind


class Client:
    def __init__(self, sock):
        self.sock = sock
        self.input = b""  # the beginning of a line
        self.output = b"a line, please\n"  # not sent yet
        self.ending = False  # close once the output is sent
        self.events = 0  # what epoll watches for us

    def wanted(self):
        """The events that this client can go on with."""
        events = 0
        if self.output:
            events |= select.EPOLLOUT
        if not self.ending and len(self.output) < MAX_OUTPUT:
            events |= select.EPOLLIN
        return events

    def receive(self):
        data = self.sock.recv(65536)
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            if len(line) >= MAX_LINE:
                self.ending = True
            elif line.strip() == b"quit":
                self.output += b"goodbye\n"
                self.ending = True
            if self.ending:
                return
            self.output += line.upper() + b"\n"
        if not data or len(self.input) >= MAX_LINE:
            self.ending = True

    def send(self):
        sent = self.sock.send(self.output)
        self.output = self.output[sent:]


class Loop:
    def __init__(self, listener):
        self.listener = listener
        self.epoll = select.epoll()
        self.epoll.register(listener, select.EPOLLIN)
        self.clients = {}  # by file descriptor

    def run(self):
        while True:
            for fd, events in self.epoll.poll():
                if fd == self.listener.fileno():
                    self.accept()
                else:
                    self.handle(self.clients[fd], events)

    def accept(self):
        try:
            sock, _ = self.listener.accept()
        except (BlockingIOError, ConnectionAbortedError):  # it has gone again
            return
        sock.setblocking(False)
        client = self.clients[sock.fileno()] = Client(sock)
        self.epoll.register(sock, 0)
        self.watch(client)

    def handle(self, client, events):
        try:
            if events & select.EPOLLIN:
                client.receive()
            if events & select.EPOLLOUT:
                client.send()
        except BlockingIOError:
            pass
        except ConnectionError as exc:
            print(f"a client: {exc}", file=sys.stderr)
            return self.close(client)
        finished = client.ending and not client.output
        # Without EPOLLIN or EPOLLOUT the event is an error or a hang-up: nobody is there any more.
        if finished or not events & (select.EPOLLIN | select.EPOLLOUT):
            return self.close(client)
        return self.watch(client)

    def watch(self, client):
        wanted = client.wanted()
        if wanted != client.events:
            self.epoll.modify(client.sock, wanted)
            client.events = wanted

    def close(self, client):
        self.epoll.unregister(client.sock)
        del self.clients[client.sock.fileno()]
        client.sock.close()


def main(port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.setblocking(False)
        print(f"listening on 127.0.0.1:{listener.getsockname()[1]}", flush=True)
        Loop(listener).run()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
