"""How the tests of sleep and timers look at time.

Where time is virtual it is compared exactly: nothing but sleeping takes time there. On the host nothing may
come too early; how late it comes is the machine's affair.
"""

from __future__ import annotations

from conformance.worlds import NOTHING, World, is_parked, park

import mpg

MS = 0.001
BAD_TIMES = {
    "NaN": (float("nan"), ValueError),
    "str": ("1", TypeError),
    "None": (None, TypeError),
    "bool": (True, TypeError),
}
FAR_BACK = [-1, -1e300, float("-inf")]
FAR_AHEAD = [1e9, 1e300, float("inf")]


def ms(seconds: float) -> float:
    """A time in milliseconds, free of the noise of floats."""
    return round(seconds * 1000, 6)


def check_time(world: World, since: float, expected_ms: float) -> None:
    """So many milliseconds have passed since `since`; on the host at least."""
    passed = ms(mpg.now() - since)
    if world.virtual:
        assert passed == expected_ms
    else:
        assert passed >= expected_ms


def pass_time(milliseconds: float) -> None:
    """Let time pass in any world, without a look at any timer channel."""
    mpg.sleep(milliseconds * MS)


def never_comes(world: World, timer: mpg.Timer | mpg.Ticker) -> None:
    """Nothing is delivered, now or later."""
    assert timer.chan.try_recv() == NOTHING
    if world.virtual:
        pass_time(1_000_000)
        assert timer.chan.try_recv() == NOTHING
    g = park(timer.chan.recv_ok)
    for _ in range(10):
        mpg.gosched()
    assert is_parked(g)
