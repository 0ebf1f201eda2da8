"""Errors of Pydantic in words: which parameter, what was given, what was expected."""

from __future__ import annotations

import types
import typing
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, ValidationError

_LONGEST = 60


def describe(
    error: BaseException, path: str = "", model: type[BaseModel] | None = None
) -> list[str]:
    """Say in one line each what is wrong.

    Parameters
    ----------
    error
        A `pydantic.ValidationError`.
    path
        Where the validated value stands in the parameters, such as `training.xgboost`.
    model
        The model that it was held against; with it, unknown keys get a suggestion.

    Returns
    -------
    list of str
        Lines such as ``training.xgboost.max_dept: not a parameter (given 6). Did you mean
        'max_depth'?``
    """
    if not isinstance(error, ValidationError):
        return [f"{path}: {error}" if path else str(error)]
    lines: list[str] = []
    for detail in error.errors(include_url=False):
        location = detail["loc"]
        where = ".".join(filter(None, [path, *map(str, location)])) or "parameters"
        message = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        given = detail["input"]
        if detail["type"] == "extra_forbidden":
            known = _names_at(model, location[:-1]) if model is not None else []
            line = f"{where}: not a parameter (given {_short(given)}). {_suggest(location, known)}"
        elif detail["type"] == "missing":
            line = f"{where}: missing, but required"
        elif isinstance(given, dict | BaseModel) and message == detail["msg"]:
            line = f"{where}: given a mapping; {_expected(message)}"
        elif isinstance(given, dict | BaseModel):
            line = f"{where}: {message}"  # a rule of the model about several of its fields
        else:
            line = f"{where}: given {_short(given)}; {_expected(message)}"
        lines.append(line.strip())
    return lines


def closest(name: str, known: typing.Iterable[str]) -> str:
    """Suggest what may have been meant, as a sentence; empty if nothing comes near."""
    matches = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{matches[0]}'?" if matches else ""


def _suggest(location: tuple[int | str, ...], known: list[str]) -> str:
    sentence = closest(str(location[-1]), known)
    return sentence or (f"Known here: {', '.join(known)}." if known else "")


def _expected(message: str) -> str:
    text = message.removeprefix("Input should be ")
    return f"expected {text}" if text != message else text[:1].lower() + text[1:]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _names_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields that are allowed at a place inside a model."""
    models = _models_in(model)
    for step in location:
        inner = [
            found
            for candidate in models
            if step in candidate.model_fields
            for found in _models_in(candidate.model_fields[str(step)].annotation)
        ]
        # A step that is no field is an index, a key, or which member of a union was tried.
        models = inner or [m for m in models if _is_member(m, step)] or models
    return sorted({name for candidate in models for name in candidate.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """All models inside an annotation: through unions, lists, mappings and `Annotated`."""
    if isinstance(annotation, type) and issubclass(annotation, RootModel):
        return _models_in(annotation.model_fields["root"].annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    arguments = get_args(annotation)
    if get_origin(annotation) in {Union, types.UnionType} or arguments:
        return [model for argument in arguments for model in _models_in(argument)]
    return []


def _is_member(model: type[BaseModel], step: int | str) -> bool:
    """Whether a step names this model, or the value that tells it from the others."""
    if step == model.__name__:
        return True
    return any(
        get_origin(info.annotation) is Literal and step in get_args(info.annotation)
        for info in model.model_fields.values()
    )
