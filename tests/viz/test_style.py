"""Colours that colour-blind eyes can tell apart, and glyphs that nobody can confuse."""

import json
import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from scheduler_viz.style import FUNCTIONS, GLYPHS, STATES, function_colour

# How light, in linear RGB, looks to eyes without red, green or blue cones (Machado, Oliveira and Fernandes 2009).
EYES = {
    "all cones": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def seen(colour: str, eye: str) -> np.ndarray:
    """CIE L*a*b* of an sRGB colour, as that eye sees it."""
    code = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    x, y, z = XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / WHITE
    fx, fy, fz = (np.cbrt(t) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def closest(colours, eye):
    """The smallest difference, CIE 1976."""
    return min(np.linalg.norm(seen(a, eye) - seen(b, eye)) for a, b in combinations(colours, 2))


def test_difference_of_black_and_white():
    assert closest(["#000000", "#FFFFFF"], "all cones") == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize(("eye", "least"), [("all cones", 26), ("no red", 20), ("no green", 16.9)])
def test_states_differ(eye, least):
    assert closest([state.colour for state in STATES.values()], eye) >= least


@pytest.mark.parametrize("eye", EYES)
def test_functions_are_far_from_states(eye):
    states = [state.colour for state in STATES.values()]
    assert min(closest([one, other], eye) for one in FUNCTIONS for other in states) >= 25
    assert closest(FUNCTIONS, eye) >= 15


def test_the_closest_states_differ_by_hatch():
    for one, other in (("runnable", "spinning"), ("blocked", "system")):
        assert STATES[one].hatch != STATES[other].hatch


def test_nothing_looks_or_sounds_like_another():
    assert len({(glyph.marker, glyph.filled) for glyph in GLYPHS.values()}) == len(GLYPHS)
    labels = [one.label for one in (*STATES.values(), *GLYPHS.values())]
    assert len(set(labels)) == len(labels)


def test_colour_of_a_function():
    """Figures of other days and machines must agree, so the colours of some names are written down."""
    assert [FUNCTIONS.index(function_colour(name)) for name in ("main", "worker", "other")] == [2, 2, 0]
    assert {function_colour(f"f{i}") for i in range(100)} == set(FUNCTIONS)


def test_importing_loads_no_matplotlib():
    code = (
        "import json, sys, scheduler_viz, scheduler_viz.data; print(json.dumps('matplotlib' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr, json.loads(done.stdout or "null")) == (0, "", False)
