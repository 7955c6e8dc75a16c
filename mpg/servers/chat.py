"""A chat room: the complete example of a TCP service that has state. Try it with `mpg serve chat` and `nc`.

The protocol is lines of UTF-8 text. The server asks for a nick; after that every line goes to everybody. `/who`
lists the members, `/quit` leaves. A line longer than MAX_LINE ends the connection.

Who runs, and who owns what:

    connection -- reader G --lines--> +-------+ --outbox--> handler G -- connection
    connection -- reader G --lines--> | hub G | --outbox--> handler G -- connection
    connection -- reader G --lines--> +-------+ --outbox--> handler G -- connection

* The **hub** is one G that owns the table of members and takes every decision. Nobody else touches the table, so
  there is no lock: whoever wants something sends it a message.
* A **reader** G per connection turns bytes into lines and sends them to the hub.
* The **handler** G, which the server starts for each connection, writes what the hub puts into the member's
  outbox. When it returns the server closes the connection, which also ends the reader.

How slow members are kept from blocking the others: an outbox holds QUEUE lines, and the hub only ever *tries* to send
to it. A member whose outbox is full has stopped reading: it is dropped from the room and its connection is
closed. (The other choice, to drop the message, would leave holes in a conversation that nobody can see.)

How it ends: `stop` asks the hub to finish. The hub says goodbye, closes every outbox and, last, closes `done`. Nobody
receives from the hub's channels after that, so every send to the hub is a `select` with `done` as the way out. That
is the rule of a `done` channel: closed once, by its owner, and seen by all.
"""

from __future__ import annotations

import re
from typing import Any

from ..chan import Chan
from ..net import Conn, Listener, Server, ServerStats
from ..selectgo import recv_case, select, send_case
from ..sync import WaitGroup

__all__ = ["ChatServer"]

QUEUE = 64  # lines that a member may be behind
MAX_LINE = 1024  # bytes
PATIENCE = 10.0  # seconds that one write may take
NICK = re.compile(r"\w{1,20}")


class Member:
    """One connection as the hub sees it. Its fields but `conn` and `outbox` are the hub's."""

    def __init__(self, conn: Conn) -> None:
        self.conn = conn
        self.outbox: Chan[str] = Chan(QUEUE)  # the hub is the only sender, so it is the hub who closes it
        self.nick = ""  # until the hub has accepted one


class Room:
    """The hub and the channels to it."""

    def __init__(self) -> None:
        # Without buffers: once a send has returned, the hub has the message.
        self.join: Chan[Member] = Chan()
        self.lines: Chan[tuple[Member, str]] = Chan()
        self.leave: Chan[Member] = Chan()
        self.stop: Chan[None] = Chan(1)  # one slot, so that asking never waits
        self.done: Chan[None] = Chan()
        self.members: set[Member] = set()
        self.slow: list[Member] = []  # to be dropped after the current message

    def ask(self, ch: Chan[Any], message: Any) -> bool:
        """Send to the hub. False if the room has closed meanwhile."""
        return select(send_case(ch, message), recv_case(self.done)).index == 0

    # -- the hub's G; nothing below is called by any other

    def hub(self) -> None:
        """Take one message after the other until somebody asks to stop."""
        while True:
            got = select(
                recv_case(self.join),
                recv_case(self.lines),
                recv_case(self.leave),
                recv_case(self.stop),
            )
            if got.chan is self.join:
                self.members.add(got.value)
                self.tell(got.value, "* your nick?")
            elif got.chan is self.lines:
                self.heard(*got.value)
            elif got.chan is self.leave:
                self.remove(got.value, "has left")
            else:
                break
            self.drop_slow()
        for member in list(self.members):
            self.tell(member, "* the server is closing, goodbye")
            self.remove(member)
        self.done.close()

    def heard(self, member: Member, line: str) -> None:
        """A member's line: a nick, a command or something to say."""
        if member not in self.members:
            return  # dropped, while this line was under way
        if not member.nick:
            self.choose_nick(member, line)
        elif line == "/quit":
            self.tell(member, "* goodbye")
            self.remove(member, "has left")
        elif line == "/who":
            self.tell(member, f"* here: {', '.join(self.nicks())}")
        elif line.startswith("/"):
            self.tell(member, "* the commands are /who and /quit")
        elif line:
            self.broadcast(f"{member.nick}: {line}", but=member)

    def choose_nick(self, member: Member, nick: str) -> None:
        if not NICK.fullmatch(nick):
            self.tell(member, "* a nick has 1 to 20 letters and digits; your nick?")
        elif nick in self.nicks():
            self.tell(member, f"* {nick} is taken; your nick?")
        else:
            self.tell(member, f"* hello {nick}; here: {', '.join(self.nicks()) or 'nobody else'}")
            member.nick = nick
            self.broadcast(f"* {nick} has joined", but=member)

    def nicks(self) -> list[str]:
        return sorted(member.nick for member in self.members if member.nick)

    def broadcast(self, line: str, but: Member | None = None) -> None:
        """Tell everybody who has a nick."""
        for member in self.members:
            if member.nick and member is not but:
                self.tell(member, line)

    def tell(self, member: Member, line: str) -> None:
        """Queue a line. The hub never waits for a member: one whose queue is full is to be dropped."""
        if not member.outbox.try_send(line):
            self.slow.append(member)

    def drop_slow(self) -> None:
        """A loop, because the news about one may fill the queue of the next."""
        while self.slow:
            member = self.slow.pop()
            self.remove(member, "was too slow")
            member.conn.close()  # its handler may be stuck in sendall: this wakes it

    def remove(self, member: Member, why: str = "") -> None:
        """Take a member out of the table; its handler sends what is queued, and ends."""
        if member not in self.members:
            return
        self.members.remove(member)
        member.outbox.close()
        if member.nick and why:
            self.broadcast(f"* {member.nick} {why}")


class ChatServer(Server):
    """The room behind a listener. `serve` runs it until SIGTERM or `close`; members are told and leave at once.

    Takes the arguments of Server, without the handler.
    """

    def __init__(self, listener: Listener, *, max_conns: int | None = None, drain: float = 5.0) -> None:
        super().__init__(listener, self.handle, max_conns=max_conns, drain=drain)
        self.room = Room()
        self.group = WaitGroup()

    def serve(self) -> ServerStats:
        """Run the hub and serve; return when every G of the room has ended."""
        self.group.go(self.room.hub)
        stats = super().serve()
        self.group.wait()
        return stats

    def close(self) -> None:
        """Stop accepting and close the room. SIGTERM calls this too, in a G of its own."""
        super().close()
        self.room.stop.try_send(None)  # false: somebody has asked before

    def handle(self, conn: Conn) -> None:
        """One connection, from joining to leaving: write what the hub has for it."""
        member = Member(conn)
        if not self.room.ask(self.room.join, member):
            return
        self.group.go(self.read, member)
        try:
            for line in member.outbox:  # until the hub closes it
                conn.set_write_deadline(PATIENCE)
                conn.sendall(line.encode() + b"\n")
        except TimeoutError:  # it takes nothing any more; the reader will tell the hub
            pass

    def read(self, member: Member) -> None:
        """The reader's G: pass lines to the hub, until the connection ends on either side."""
        try:
            with member.conn.makefile("rb") as file:
                while raw := file.readline(MAX_LINE + 1):
                    if len(raw) > MAX_LINE:
                        break
                    if not self.room.ask(self.room.lines, (member, clean(raw))):
                        return
        except OSError:  # reset by the peer, or closed by our side because the member has left
            pass
        self.room.ask(self.room.leave, member)


def clean(raw: bytes) -> str:
    """A line as text, without the control characters that would play tricks on the others' terminals."""
    text = raw.decode("utf-8", "replace").strip()
    return "".join(char for char in text if char.isprintable())
