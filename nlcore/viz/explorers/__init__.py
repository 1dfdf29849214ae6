"""Explorers: one small demo a file, named as the function in it that makes the demo."""

from pkgutil import iter_modules


def names() -> list[str]:
    """The explorers there are."""
    return [module.name for module in iter_modules(__path__)]
