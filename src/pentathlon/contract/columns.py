"""Finding a contract's columns in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.source import FileContract
from pentathlon.errors import DataError, ParameterError


def resolve_columns(
    available: Sequence[object], contract: FileContract, features: FeatureColumns, source: str
) -> dict[str, str]:
    """Find every configured column in the file.

    Parameters
    ----------
    available : sequence
        Column names of the file.
    contract : FileContract
    features : FeatureColumns
    source : str
        What to call the file in messages.

    Returns
    -------
    dict of str to str
        Column of the file by role (``message``, ...) and by feature. A name of the
        settings is looked for first, its aliases after it.

    Raises
    ------
    DataError
        When columns are missing or two columns of the file share a name.
    ParameterError
        When the settings contradict themselves.
    """
    _check_settings(contract, features)
    names = [str(name) for name in available]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise DataError(
            f"{source}: columns that appear more than once: {repeated}. "
            "Rename them in the file, so that it is clear which one is meant."
        )
    wanted = {**contract.columns.present, **{name: name for name in features.columns}}
    found: dict[str, str] = {}
    lost: dict[str, str] = {}
    for key, name in wanted.items():
        candidates = [name, *contract.aliases.get(name, [])]
        match = next((c for c in candidates if c in names), None)
        if match is None:
            lost[key] = name
        else:
            found[key] = match
    if lost:
        raise DataError(_lost_message(lost, names, contract, source))
    return found


def _check_settings(contract: FileContract, features: FeatureColumns) -> None:
    roles = contract.columns.present
    role_names = {alias: role for role, name in roles.items() for alias in _names(name, contract)}
    for column in features.columns:
        clash = [name for name in _names(column, contract) if name in role_names]
        if clash:
            raise ParameterError(
                f"features: column '{column}' is also data_processing.columns."
                f"{role_names[clash[0]]}. What records the assignment or its outcome cannot "
                "be a feature: a model would read the answer."
            )
    if "customer_id" in features.columns:
        raise ParameterError(
            "features: 'customer_id' identifies customers; it cannot be a feature."
        )
    numbers = [*features.numeric, *features.counts.values()]
    known: Mapping[str, Sequence[str]] = {
        "aliases": [*roles.values(), *features.columns],
        "category_values": features.categorical,
        "valid_ranges": numbers,
    }
    for setting, allowed in known.items():
        stray = sorted(set(getattr(contract, setting)) - set(allowed))
        if stray:
            raise ParameterError(
                f"data_processing.{setting}: {stray} are no such columns; "
                f"expected names among {sorted(allowed)}."
            )


def _names(name: str, contract: FileContract) -> list[str]:
    return [name, *contract.aliases.get(name, [])]


def _lost_message(
    lost: Mapping[str, str], names: Sequence[str], contract: FileContract, source: str
) -> str:
    sentences = []
    for key, name in lost.items():
        setting = f"data_processing.columns.{key}" if key != name else "features"
        close = _closest(name, names)
        hint = f"; did you mean '{close}'?" if close is not None else ""
        others = contract.aliases.get(name, [])
        also = f" (nor {', '.join(repr(o) for o in others)})" if others else ""
        sentences.append(f"'{name}'{also} of {setting}{hint}")
    listed = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    return (
        f"{source}: {len(lost)} missing column{'s' if len(lost) > 1 else ''}: "
        f"{'; '.join(sentences)} The file has {len(names)} columns: {listed}. "
        "Name the file's columns in the parameters, or add data_processing.aliases."
    )


def _closest(name: str, names: Sequence[str]) -> str | None:
    folded = {n.lower(): n for n in reversed(names)}
    match = difflib.get_close_matches(name.lower(), list(folded), n=1, cutoff=0.6)
    return folded[match[0]] if match else None
