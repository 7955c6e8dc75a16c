"""The public names: `mpg.__all__` says what there is, no more and no less, and everything has a docstring."""

import __future__

import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import mpg


def test_each_name_is_there():
    assert [name for name in mpg.__all__ if not hasattr(mpg, name)] == []


def test_no_name_twice():
    assert sorted(mpg.__all__) == sorted(set(mpg.__all__))


def test_no_name_is_private():
    assert [name for name in mpg.__all__ if name.startswith("_") and name != "__version__"] == []


def is_incidental(value: object) -> bool:
    """True for what a package holds without offering it: its submodules, and `from __future__ import ...`."""
    if isinstance(value, ModuleType):
        return value.__name__.startswith("mpg.")
    return isinstance(value, __future__._Feature)


def test_nothing_else_is_public():
    public = [name for name, value in vars(mpg).items() if name[0] != "_" and not is_incidental(value)]
    assert [name for name in public if name not in mpg.__all__] == []


@pytest.mark.parametrize("name", mpg.__all__)
def test_has_a_docstring(name):
    value = getattr(mpg, name)
    if not (callable(value) or isinstance(value, ModuleType)):
        return  # a constant: the type's docstring says nothing about it
    text = inspect.cleandoc(value.__doc__ or "")
    # "Name(a, b)" is what a dataclass writes when its author did not.
    assert text
    assert not text.startswith(f"{name}(")


def test_importing_a_module_hides_no_name():
    """`mpg.run` is a function and also a module: the function stays."""
    before = {name: getattr(mpg, name) for name in mpg.__all__}
    for module in pkgutil.walk_packages(mpg.__path__, "mpg."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert [name for name, value in before.items() if getattr(mpg, name) is not value] == []
