"""Commands for what persons may ask: to be erased, and to see what is held about them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from pentathlon.errors import ParameterError, PentathlonError
from pentathlon.events.pseudonyms import PseudonymKey, pseudonymise_file
from pentathlon.events.requests import Answer, erase_person, export_person, person
from pentathlon.events.settings import IntakeSettings

_ENTRY = "pseudonyms"


@click.group()
def privacy() -> None:
    """Erase a person, export what is held about one, or make pseudonyms."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--data-root",
            type=click.Path(path_type=Path, file_okay=False),
            help="Folder that holds 01_raw to 08_reporting. Default: that of the environment.",
        ),
        click.option("--env", help="Configuration environment.  [default: local]"),
        click.option(
            "--customer",
            required=True,
            help="Your own identifier of the customer, or a pseudonym.",
        ),
    ):
        command = option(command)
    return command


@privacy.command()
@_options
@click.confirmation_option(prompt="Erase this person from every layer and version?")
def erase(customer: str, env: str | None, data_root: Path | None) -> None:
    """Remove a person from every table below the data root, and record it."""
    try:
        place = _settings(env, data_root)
        intake = place.intake()
        who = person(customer, place.key, place.id_columns)
        done = erase_person(place.root, who, place.key, intake)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    count, files = sum(done.rows.values()), len(done.rows)
    click.echo(f"Erased {count:,} rows from {files:,} files of {place.root}.")
    _say_rest(done)
    if done.not_erased:
        raise click.ClickException(
            f"{len(done.not_erased):,} files still hold rows about the person. Correct them, or "
            "take the rows out by hand, and erase again."
        )


@privacy.command("export")
@_options
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the JSON. Default: standard output.",
)
def export_(customer: str, env: str | None, data_root: Path | None, target: Path | None) -> None:
    """Give everything that is held about a person, as JSON: rows by file.

    Files that were not searched are in it under `not_searched`, each with the reason.
    """
    try:
        with redirect_stdout(sys.stderr):  # what Kedro logs is no JSON
            place = _settings(env, data_root)
            intake = place.intake()
            who = person(customer, place.key, place.id_columns)
            found = export_person(place.root, who, place.key, intake)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    content: dict[str, Any] = dict(found.held)
    if found.not_searched:
        content["not_searched"] = found.not_searched
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str)
    if target is None:
        click.echo(text)
    else:
        target.write_text(text + "\n", encoding="utf-8")
        click.echo(f"{sum(found.rows.values()):,} rows of {len(found.rows):,} files: {target}")
    _say_rest(found, err=target is None)


@privacy.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--column", default="customer_id", show_default=True, help="With your identifiers.")
@click.option("--env", help="Configuration environment.  [default: local]")
def pseudonymise(source: Path, target: Path, column: str, env: str | None) -> None:
    """Write a CSV file again with pseudonyms in place of your identifiers.

    Export with addresses needs such a file where decisions come from raw tables.
    """
    try:
        key = _settings(env, None).key
        rows = pseudonymise_file(source, target, column, key)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{rows:,} rows with pseudonyms of the key {key.key_id}: {target}")


def _say_rest(answer: Answer, *, err: bool = False) -> None:
    for name in answer.mentioned_in:
        click.echo(f"May name the person, for you to judge: {name}", err=err)
    for name, why in answer.not_searched.items():
        click.echo(f"Not searched: {name}: {why}", err=err)
    for name, why in answer.not_erased.items():
        click.echo(f"Not erased: {name}: {why}", err=err)
    for note in answer.notes:
        click.echo(note, err=err)


@dataclass(frozen=True)
class _Place:
    """What the configuration of an environment says about where persons may be found."""

    root: Path
    key: PseudonymKey
    parameters: dict[str, Any]

    @property
    def id_columns(self) -> set[str]:
        """Columns that hold the customer's identifier in the environment's files."""
        return set(_id_columns(self.parameters))

    def intake(self) -> IntakeSettings | None:
        """How raw tables are written."""
        block = self.parameters.get("intake")
        if block is None:
            return None
        try:
            return IntakeSettings.model_validate(block)
        except ValidationError as error:
            raise ParameterError(
                "The block `intake` of the parameters cannot be read, and so cannot the raw files "
                f"that it describes. Correct it: {error}"
            ) from error


def _settings(env: str | None, data_root: Path | None) -> _Place:
    """Data root, key and parameters, from the project's configuration."""
    from kedro.config import MissingConfigException  # noqa: PLC0415
    from kedro.utils import find_kedro_project  # noqa: PLC0415

    from pentathlon.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS  # noqa: PLC0415

    project = find_kedro_project(Path.cwd())
    if project is None:
        raise click.ClickException("There is no project here. Go to the folder of yours.")
    arguments: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
    loader = CONFIG_LOADER_CLASS(
        conf_source=str(project / "conf"), env=env, runtime_params={}, **arguments
    )
    try:
        credentials = loader["credentials"].get(_ENTRY)
    except MissingConfigException:
        credentials = None
    root = data_root or project / str(loader["globals"]["data_root"])
    return _Place(root, PseudonymKey.from_credentials(credentials), dict(loader["parameters"]))


def _id_columns(parameters: dict[str, Any]) -> Iterator[str]:
    """Names that the environment's files have for the customer's identifier."""
    named = (parameters.get("data_processing") or {}).get("columns") or {}
    if named.get("customer_id"):
        yield str(named["customer_id"])
    for table in ((parameters.get("intake") or {}).get("tables") or {}).values():
        source = ((table or {}).get("columns") or {}).get("customer_id")
        if isinstance(source, dict):
            source = source.get("column")
        if source:
            yield str(source)
