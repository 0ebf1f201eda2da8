"""Commands for what persons may ask: to be erased, and to see what is held about them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from pentathlon.errors import PentathlonError
from pentathlon.events.pseudonyms import PseudonymKey, pseudonymise_file
from pentathlon.events.requests import Answer, erase_person, export_person, person

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
        root, key, columns = _settings(env, data_root)
        done = erase_person(root, person(customer, key, columns), key)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"Erased {sum(done.rows.values()):,} rows from {len(done.rows):,} files of {root}.")
    _say_mentions(done)


@privacy.command("export")
@_options
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File for the JSON. Default: standard output.",
)
def export_(customer: str, env: str | None, data_root: Path | None, target: Path | None) -> None:
    """Give everything that is held about a person, as JSON: rows by file."""
    try:
        root, key, columns = _settings(env, data_root)
        found = export_person(root, person(customer, key, columns), key)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    text = json.dumps(found.held, indent=2, ensure_ascii=False, default=str)
    if target is None:
        click.echo(text)
        return
    target.write_text(text + "\n", encoding="utf-8")
    click.echo(f"{sum(found.rows.values()):,} rows of {len(found.rows):,} files: {target}")
    _say_mentions(found)


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
        _, key, _ = _settings(env, None)
        rows = pseudonymise_file(source, target, column, key)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{rows:,} rows with pseudonyms of the key {key.key_id}: {target}")


def _say_mentions(answer: Answer) -> None:
    for name in answer.mentioned_in:
        click.echo(f"Not a table, but it names the person: {name}")


def _settings(env: str | None, data_root: Path | None) -> tuple[Path, PseudonymKey, set[str]]:
    """Data root, key and columns of identifiers, from the project's configuration."""
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
    columns = set(_id_columns(dict(loader["parameters"])))
    return root, PseudonymKey.from_credentials(credentials), columns


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
