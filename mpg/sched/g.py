"""G: a goroutine (Go: runtime2.go, g)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..current import user_calls
from ..status import GSTATUS

if TYPE_CHECKING:
    from ..port import Stack
    from .waitq import Sudog

__all__ = ["G", "WithKwargs", "func_name", "inner", "new_g"]


class G:
    """A goroutine: a function call with a stack of its own. `mpg.go` returns it.

    Attributes:
        id: 1 for main, then counting.
        waitreason: while waiting, Go's word for what it waits for, such as "chan receive".
    """

    __slots__ = (
        "_name",
        "args",
        "atomicstatus",
        "context",
        "exc",
        "fn",
        "home",
        "id",
        "joiners",
        "listed",
        "result",
        "sg",
        "since",
        "site",
        "site_lasti",
        "stack",
        "ticket",
        "waiting",
        "waitreason",
        "wake_exc",
    )

    # `new_g` makes one.
    id: int
    fn: Any
    args: Any
    context: Any
    site: Any  # the code object that said go, and where in it
    site_lasti: int
    _name: str | None
    # Owned by the M that runs it or, while it waits, by its claimer.
    atomicstatus: int
    home: Any  # the M it is locked to; None while any M may run it
    stack: Stack | None
    ticket: int  # set when it is queued behind G's of another queue
    listed: dict[G, None] | None  # the dict of live G's that holds it, from its first park on
    waitreason: str
    since: int  # set when it parks
    waiting: Any  # has cancel(gp) -> bool while the wait can be withdrawn
    sg: Sudog | None  # reused by plain waits
    wake_exc: BaseException | None  # raised by the park that `abort` ended
    result: Any  # set at the end
    exc: BaseException  # set if it has failed
    joiners: Any  # who is to be told of its end; for main there always is somebody

    @property
    def name(self) -> str:
        """The function's qualified name, `file:line` for a lambda, or what has been assigned."""
        if self._name is not None:
            return self._name
        return func_name(self.fn)

    @name.setter
    def name(self, name: str) -> None:
        self._name = name

    @property
    def status(self) -> str:
        """ "runnable", "running", "syscall", "waiting" or "dead"."""
        return GSTATUS[self.atomicstatus]

    @property
    def created(self) -> str:
        """`file:line` of the `go` that made it; empty for main."""
        if self.site is None:
            return ""
        line = self.site.co_firstlineno
        for index, (start, *_) in enumerate(self.site.co_positions()):
            if index * 2 == self.site_lasti:
                line = start or line
                break
        return f"{self.site.co_filename}:{line}"

    def join(self, timeout: float | None = None) -> None:
        """Wait until this G has ended. Returns nothing: a G that fails ends the whole run.

        Raises:
            TimeoutError: it has not ended after `timeout` seconds.
        """
        from .join import join

        join(self, timeout)

    def __repr__(self) -> str:
        state = self.waitreason if self.status == "waiting" else self.status
        return f"<G {self.id} {self.name} [{state}]>"


def new_g(
    goid: int,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    context: Any,
    site: Any = None,
    site_lasti: int = 0,
) -> G:
    """A G that has not been queued. (`mpg.go` has this written out: a class with `__init__` costs 200 ns more.)"""
    gp = G()
    gp.id = goid
    gp.fn = fn
    gp.args = args
    gp.context = context
    gp.site = site
    gp.site_lasti = site_lasti
    gp.ticket = 0
    gp.waitreason = ""
    gp._name = gp.home = gp.stack = gp.listed = gp.waiting = None
    gp.sg = gp.wake_exc = gp.joiners = None
    return gp


class WithKwargs:
    """The function of a G that is given keyword arguments: a G has no field for what most do not have."""

    __slots__ = ("func", "kwargs")

    def __init__(self, func: Callable[..., Any], kwargs: dict[str, Any]) -> None:
        self.func = func
        self.kwargs = kwargs

    def __call__(self, *args: Any) -> Any:
        kwargs, self.kwargs = self.kwargs, {}  # who keeps the G is not to keep them
        return self.func(*args, **kwargs)


user_calls.add(WithKwargs.__call__.__code__)


def inner(fn: Any) -> Any:
    """The function inside a partial."""
    while hasattr(type(fn), "func"):  # partial, and WaitGroup's; not whatever makes up its attributes
        fn = fn.func
    return fn


def func_name(fn: Any, *, line: bool = True) -> str:
    """A function's qualified name, with `line` `file:line` for a lambda; that of the function inside a partial."""
    fn = inner(fn)
    code = getattr(fn, "__code__", None)
    if line and code is not None and code.co_name == "<lambda>":
        return f"{code.co_filename}:{code.co_firstlineno}"
    return str(getattr(fn, "__qualname__", None) or type(fn).__qualname__)
