"""Strategies that somebody else wrote: named in the settings or by an installed package, made with typed parameters.

``[strategy.custom.NAME]`` makes one strategy; its ``class`` is ``module:Class``, or the name of an entry point of the group
``polybot.strategies`` (NAME itself where no class is given). The other keys are the class's parameters.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import ConfigError
from pipeline.strategy.base import Strategy

GROUP = "polybot.strategies"
"""The group of entry points under which a package offers strategies: name -> class."""
RESERVED = frozenset({"spread_capture", "dutch_book"})
NEEDED = ("name", "min_requote_interval_ns", "min_change_ticks", "max_book_age_ns", "refusal", "decide")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def custom_strategies(tables: Mapping[str, Mapping[str, Any]]) -> list[Strategy]:
    """The strategies of ``[strategy.custom]``, in their order. Raises ConfigError with the table, the key and what to do."""
    return [custom_strategy(name, table) for name, table in tables.items()]


def custom_strategy(name: str, table: Mapping[str, Any]) -> Strategy:
    """One strategy from its table. Raises ConfigError."""
    where = f"[strategy.custom.{name}]"
    if not _NAME.fullmatch(name) or name in RESERVED:
        raise ConfigError(
            f"{where}: a name has small letters, digits and _, at most 40, and is not {' or '.join(sorted(RESERVED))}"
        )
    kind = _class_of(str(table.get("class", name)), where)
    given = {key: value for key, value in table.items() if key != "class"}
    made = _made(kind, name, given, where)
    missing = [word for word in NEEDED if not hasattr(made, word)]
    if missing:
        raise ConfigError(
            f"{where} class {kind.__qualname__}: has no {missing[0]}; derive it from pipeline.strategy.quoter.Quoter"
        )
    strategy: Strategy = made
    if strategy.name != name:
        raise ConfigError(f"{where} class {kind.__qualname__}: its name is {strategy.name!r}; it must take the parameter name")
    return strategy


def offered() -> dict[str, str]:
    """The strategies that installed packages offer: name -> where the class is."""
    return {point.name: point.value for point in metadata.entry_points(group=GROUP)}


def _class_of(word: str, where: str) -> type[Any]:
    module, colon, attribute = word.partition(":")
    if not colon:
        points = metadata.entry_points(group=GROUP, name=word)
        if not points:
            known = ", ".join(sorted(offered())) or "none is installed"
            raise ConfigError(f'{where} class = "{word}": no package offers it ({known}); give "package.module:Class"')
        found = _imported(lambda: next(iter(points)).load(), word, where)
    else:
        found = _imported(lambda: getattr(_module(module), attribute), word, where)
    if not inspect.isclass(found):
        raise ConfigError(f'{where} class = "{word}": it is no class')
    return found


def _module(name: str) -> Any:
    """The module; one that lies in the current folder is found too, as with ``python -m``."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    importlib.invalidate_caches()
    return importlib.import_module(name)


def _imported(get: Callable[[], Any], word: str, where: str) -> Any:
    try:
        return get()
    except (ImportError, AttributeError, SyntaxError) as error:
        told = (
            f'{where} class = "{word}": {error}; it is looked for in the current folder {Path.cwd()} and among installed packages'
        )
        raise ConfigError(told) from None


def _made(kind: type[Any], name: str, given: Mapping[str, Any], where: str) -> Any:
    """An instance, its parameters converted to the types that the class declares."""
    types = _parameters(kind)
    values: dict[str, Any] = {"name": name} if "name" in types else {}
    for key, value in given.items():
        if key not in types or key == "name":
            close = difflib.get_close_matches(key, types, n=1)
            known = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(set(types) - {'name'}))}"
            raise ConfigError(f"{where} {key}: {kind.__qualname__} has no such parameter; {known}")
        try:
            values[key] = msgspec.convert(value, types[key], strict=False)
        except msgspec.ValidationError as error:
            wanted = getattr(types[key], "__name__", str(types[key]))
            raise ConfigError(f"{where} {key} = {value}: {str(error).lower()}; expected {wanted}") from None
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where} class {kind.__qualname__}: {error}") from None


def _parameters(kind: type[Any]) -> dict[str, Any]:
    """name -> type of what a class takes; a parameter without an annotation takes anything."""
    if dataclasses.is_dataclass(kind):
        types = typing.get_type_hints(kind)
        return {field.name: types[field.name] for field in dataclasses.fields(kind) if field.init}
    if kind.__init__ is object.__init__:
        return {}
    types = typing.get_type_hints(kind.__init__)
    names = [
        name for name, parameter in inspect.signature(kind).parameters.items() if parameter.kind is not parameter.VAR_KEYWORD
    ]
    return {name: types.get(name, Any) for name in names}
