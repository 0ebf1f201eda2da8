"""The command that writes decisions as files for an e-mail provider."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd

from pentathlon.commands.decisions import find_decided, load_decisions
from pentathlon.commands.manifests import data_roots_option
from pentathlon.errors import PentathlonError
from pentathlon.outputs import PROVIDERS, export_decisions


@click.command()
@click.argument("run", default="latest", metavar="[ID]")
@click.option("--to", "provider", required=True, type=click.Choice(sorted(PROVIDERS)))
@click.option(
    "--addresses",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV or Parquet file with customer_id and email. Read, and written nowhere else.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go. Default: <data root>/08_reporting/exports/<run>/<provider>.",
)
@data_roots_option
def export(
    run: str,
    provider: str,
    addresses: Path | None,
    folder: Path | None,
    data_roots: tuple[Path, ...],
) -> None:
    """Write the decisions of a run as files that an e-mail provider imports."""
    manifest, root = find_decided(run, data_roots)
    place = folder or root / "08_reporting" / "exports" / manifest["id"] / provider
    campaign = manifest.get("parameters", {}).get("campaign", {}).get("name", manifest["id"])
    known = None
    if addresses is not None:
        if not addresses.is_file():
            raise click.ClickException(f"There is no file {addresses}.")
        parquet = addresses.suffix == ".parquet"
        known = pd.read_parquet(addresses) if parquet else pd.read_csv(addresses, dtype="str")
    try:
        done = export_decisions(
            load_decisions(manifest, root), provider, place, campaign=str(campaign), addresses=known
        )
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{done.sent:,} e-mails to send, {done.held_back:,} customers get none by decision, "
        f"{len(done.refused):,} refused."
    )
    for reason, count in done.refused["reason"].value_counts().items():
        click.echo(f"  {count:,}: {reason}")
    for path in done.files:
        click.echo(f"{path}")
