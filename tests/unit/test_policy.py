"""The scheduler's numbers, on both sides of each threshold. Source: Go 1.27, proc.go and runtime2.go."""

import pytest

from mpg.sched import policy
from mpg.status import G_TRANSITIONS, GSTATUS, P_TRANSITIONS, PSTATUS


@pytest.mark.parametrize(
    ("size", "procs", "taken"),
    [
        (1, 1, 1),
        (2, 1, 2),
        (128, 1, 128),
        (129, 1, 128),
        (1, 4, 1),
        (3, 4, 1),
        (4, 4, 2),
        (8, 4, 3),
        (1000, 4, 128),
    ],
)
def test_global_batch(size, procs, taken):
    assert policy.global_batch(size, procs) == taken


@pytest.mark.parametrize(
    ("spinning", "procs", "idle", "may"),
    [(0, 1, 0, True), (0, 4, 4, False), (0, 4, 3, True), (1, 4, 2, False), (1, 4, 1, True), (2, 4, 0, False)],
)
def test_at_most_half_of_the_busy_ps_spin(spinning, procs, idle, may):
    assert policy.may_spin(spinning, procs, idle) is may


@pytest.mark.parametrize(
    ("n", "strides"), [(1, [1]), (2, [1]), (4, [1, 3]), (6, [1, 5]), (7, [1, 2, 3, 4, 5, 6])]
)
def test_coprimes(n, strides):
    assert policy.coprimes(n) == strides


@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 12])
def test_a_steal_order_visits_each_p_once(n):
    strides = policy.coprimes(n)
    for r in (0, 1, n, n * n + 5, 2**32 - 1):
        assert sorted(policy.steal_order(r, strides, n)) == list(range(n))


def test_each_stride_and_each_start_occurs():
    strides = policy.coprimes(4)
    orders = {tuple(policy.steal_order(r, strides, 4)) for r in range(8)}
    assert len(orders) == 8


def test_sysmon_sleeps_20_us_then_doubles_up_to_10_ms():
    delay, slept = 0, []
    for idle in range(70):
        delay = policy.sysmon_delay(idle, delay)
        slept.append(delay)
    assert slept[:51] == [20_000] * 51
    assert slept[51:55] == [40_000, 80_000, 160_000, 320_000]
    assert slept[-1] == 10_000_000
    assert policy.sysmon_delay(0, delay) == 20_000
    assert policy.sysmon_delay(99, delay, 5_000_000) == 5_000_000


@pytest.mark.parametrize(("table", "names"), [(G_TRANSITIONS, GSTATUS), (P_TRANSITIONS, PSTATUS)])
def test_transitions_name_states_that_exist(table, names):
    assert {state for pair in table for state in pair} == set(names)
