"""Shared cells: what two M's may touch, made into choice points.

A cell is a lock, a ring, a slot, or a field that is read or written without its lock. On the host they are built-ins
and plain attributes; here they are subclasses that stop before each operation and let the explorer decide who goes on.
No module of the scheduler knows of it: locks, rings and slots come from the port, and the classes of M's, P's, G's and
of the Sched are replaced by subclasses whose `RACY` fields are descriptors.

The name of a cell is the same in every schedule: what it is, whose it is, and for locks, rings and slots who made it
and as the how-many-th.

Releasing a lock is no choice point: whatever another M might do at that moment it can also do at its next one.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

from ..sched.g import G
from ..sched.movable import MovableM
from ..sched.pinned import PinnedM
from ..sched.schedt import Sched
from ..sched.structs import M, P
from ..status import GDEAD, GIDLE, GRUNNABLE, GRUNNING, GSTATUS, GSYSCALL, GWAITING
from .invariants import InvariantError

if TYPE_CHECKING:
    from .port import ExplorerPort

__all__ = ["RACY", "XG", "XLock", "XMovableM", "XP", "XPinnedM", "XRing", "XSched", "XSlot", "here"]

#: Fields that one M reads while another may write them.
RACY: Final = {
    "G": ("atomicstatus", "joiners", "waiting"),
    "M": ("attn", "idle", "insyscall", "nextp", "p", "wants_p"),
    "P": ("global_hint", "leave", "m", "preempt", "relief", "status", "wake_hint", "when"),
    "S": ("allp", "nmspinning", "needspinning", "npidle", "stopping", "stuck", "sysmonwait", "wake_hint"),
}


#: What a G's status may become.
LEGAL: Final = {
    GIDLE: (GRUNNABLE,),
    GRUNNABLE: (GRUNNING,),
    GRUNNING: (GRUNNABLE, GWAITING, GSYSCALL, GDEAD),
    GWAITING: (GRUNNABLE, GSYSCALL),
    GSYSCALL: (GRUNNABLE, GRUNNING),
    GDEAD: (),
}


class Here:
    """The exploration that goes on, if any: there is one at a time, on one thread."""

    port: ExplorerPort | None = None


here = Here()


class Field:
    """A racy field. `get` and `set` do what the attribute of the class below does."""

    __slots__ = ("get", "kind", "name", "set")
    get: Any
    set: Any

    def __init__(self, kind: str, name: str, slot: Any) -> None:
        self.kind = kind
        self.name = name
        if slot is None:  # a class with a dict
            self.get = lambda obj: obj.__dict__[name]
            self.set = lambda obj, value: obj.__dict__.__setitem__(name, value)
        else:
            self.get, self.set = slot.__get__, slot.__set__

    def __get__(self, obj: Any, owner: type) -> Any:
        if obj is None:
            return self
        port = here.port
        if port is not None and port.open:
            port.point((self.kind, 0 if self.kind == "S" else obj.id, self.name), False)
        return self.get(obj)

    def __set__(self, obj: Any, value: Any) -> None:
        port = here.port
        if port is not None and port.open:
            port.point((self.kind, 0 if self.kind == "S" else obj.id, self.name), True)
        self.set(obj, value)


class Status(Field):
    """A G's status, which changes in legal steps only."""

    __slots__ = ()

    def __set__(self, obj: Any, value: int) -> None:
        port = here.port
        if port is not None:
            if port.open:
                port.point(("G", obj.id, self.name), True)
            before = self.get(obj)
            if value not in LEGAL[before] and not (port.sched.stopping and before != GDEAD):
                raise InvariantError(
                    f"goroutine {obj.id} ({obj.name}) goes from {GSTATUS[before]} to {GSTATUS[value]}"
                )
        self.set(obj, value)


def fields(kind: str, cls: type) -> dict[str, Any]:
    """The body of a subclass of `cls` with its racy fields as choice points."""
    return {"__slots__": ()} | {name: Field(kind, name, getattr(cls, name, None)) for name in RACY[kind]}


XG: Any = type(
    "XG", (G,), fields("G", G) | {"atomicstatus": Status("G", "atomicstatus", vars(G)["atomicstatus"])}
)


class Timed:
    """P's whose timers' lock is known as such, also when they have been retired."""

    __slots__ = ()

    def __init__(self: Any, sched: Sched, pid: int) -> None:
        super().__init__(sched, pid)  # type: ignore[call-arg]
        assert here.port is not None
        here.port.timer_locks.append(self.timers.lock)


XP: Any = type("XP", (Timed, P), fields("P", P))
XSched: Any = type("XSched", (Sched,), {k: v for k, v in fields("S", Sched).items() if k != "__slots__"})


class Spawns:
    """M's whose G's are made explorable."""

    __slots__ = ()

    def newproc(self: Any, gp: G) -> None:
        gp.atomicstatus = GIDLE
        gp.__class__ = XG
        super().newproc(gp)  # type: ignore[misc]


class Leaves:
    """Where stacks move, a G's stack is a cell: one M leaves it, another may switch to it."""

    __slots__ = ()

    def leave_for_g0(self: Any, gp: G, commit: Any) -> Any:
        port = here.port
        if port is not None and port.open:
            port.point(("stack", gp.id), True)
        return super().leave_for_g0(gp, commit)  # type: ignore[misc]

    def execute(self: Any) -> None:
        port = here.port
        if port is not None and port.open:
            port.point(("stack", self.nextg.id), True)
        super().execute()  # type: ignore[misc]


XPinnedM: Any = type("XPinnedM", (Spawns, PinnedM), fields("M", M))
XMovableM: Any = type("XMovableM", (Leaves, Spawns, MovableM), fields("M", M))


class XLock:
    """A lock whose acquisition is a choice point. Whoever finds it held waits; so it never fails."""

    __slots__ = ("held", "name")

    def __init__(self, name: tuple[Any, ...]) -> None:
        self.name = name
        self.held = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        port = here.port
        assert port is not None
        if port.open:
            port.point(self.name, True)
        while self.held:
            port.wait_for_lock(self)
        port.took(self)
        self.held = True
        return True

    def release(self) -> None:
        self.held = False
        if here.port is not None:
            here.port.gave_back(self)

    def _is_owned(self) -> bool:
        return False  # nobody interrupts an exploration

    def pop(self) -> None:
        self.acquire()

    def append(self, token: None) -> None:
        self.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()


def cell(base: type, reads: tuple[str, ...], writes: tuple[str, ...]) -> Any:
    """A subclass of a built-in container whose operations are choice points."""

    def operation(name: str, write: bool) -> Any:
        inner = getattr(base, name)

        def method(self: Any, *args: Any) -> Any:
            port = here.port
            if port is not None and port.open:
                port.point(self.name, write)
            return inner(self, *args)

        return method

    def init(self: Any, name: tuple[Any, ...]) -> None:
        super(kind, self).__init__()
        self.name = name

    body = {name: operation(name, False) for name in reads} | {name: operation(name, True) for name in writes}
    kind: Any = type(f"X{base.__name__}", (base,), {"__init__": init, **body})
    return kind


XRing: Any = cell(
    deque, ("__len__", "__getitem__", "__iter__"), ("append", "popleft", "pop", "clear", "extendleft")
)
XSlot: Any = cell(list, ("__len__", "__getitem__", "__iter__"), ("append", "pop", "clear"))
