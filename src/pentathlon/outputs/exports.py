"""Files of decisions in the shapes that e-mail providers import.

Addresses are joined only here and go only into these files: decisions and every layer behind them
know customers by a pseudonym.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pentathlon.contract.messages import CONTROL
from pentathlon.errors import DataError, ParameterError

MAX_FIELD_BYTES = 255
"""Of a text field in Mailchimp."""


@dataclass(frozen=True)
class Provider:
    """How a provider wants its files.

    Attributes
    ----------
    name : str
    columns : tuple of str
        Header, in order.
    needs_address : bool
        Whether every row needs an e-mail address.
    max_bytes : int or None
        Largest file that is taken.
    row : callable
        From customer, address, campaign and message to the fields of a row.
    source : str
        Where the provider states its format.
    """

    name: str
    columns: tuple[str, ...]
    needs_address: bool
    max_bytes: int | None
    row: Callable[[str, str, str, str], Sequence[str]]
    source: str


PROVIDERS = {
    "braze": Provider(
        "Braze",
        ("external_id", "pentathlon_campaign", "pentathlon_message"),
        False,
        500_000_000,
        lambda customer, _, campaign, message: (customer, campaign, message),
        "braze.com, user guide, CSV import",
    ),
    "klaviyo": Provider(
        "Klaviyo",
        ("Email", "Pentathlon Customer", "Pentathlon Campaign", "Pentathlon Message"),
        True,
        50_000_000,
        lambda customer, address, campaign, message: (address, customer, campaign, message),
        "help.klaviyo.com, how to create and add subscribers to a new list",
    ),
    "mailchimp": Provider(
        "Mailchimp",
        ("Email Address", "Pentathlon Customer", "Pentathlon Campaign", "Pentathlon Message"),
        True,
        None,
        lambda customer, address, campaign, message: (address, customer, campaign, message),
        "mailchimp.com, format guidelines for your import file",
    ),
    "salesforce": Provider(
        "Salesforce Marketing Cloud",
        ("SubscriberKey", "PentathlonCampaign", "PentathlonMessage", "EmailAddress"),
        True,
        None,
        lambda customer, address, campaign, message: (customer, campaign, message, address),
        "help.salesforce.com, import file requirements for Marketing Cloud Engagement",
    ),
}
"""By the name that commands take."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    files : list of Path
    sent : int
        Rows in the provider's files: customers who get an e-mail.
    held_back : int
        Customers whom no e-mail is sent to by decision.
    refused : DataFrame
        ``customer_id``, ``message`` and ``reason`` of those who should get one but cannot.
    """

    files: list[Path]
    sent: int
    held_back: int
    refused: pd.DataFrame


def export_decisions(
    decisions: pd.DataFrame,
    provider: str,
    folder: Path,
    *,
    campaign: str,
    addresses: pd.DataFrame | None = None,
) -> Exported:
    """Write decisions as one provider's import files, and a list per message.

    Every decision is accounted for: sent, held back because the decision is no e-mail, or refused
    with a reason.

    Parameters
    ----------
    decisions : DataFrame
        As the pipeline writes them.
    provider : str
        One of ``PROVIDERS``.
    folder : Path
        Is made where it is not there; files of an earlier export in it are replaced.
    campaign : str
        Name that every row carries.
    addresses : DataFrame, optional
        ``customer_id`` (unique) and ``email``; needed by providers that know customers by address.

    Returns
    -------
    Exported

    Raises
    ------
    ParameterError
        When there is no such provider, or it needs addresses and has none.
    DataError
        When addresses are not one per customer, or nobody can be sent anything.
    """
    if provider not in PROVIDERS:
        raise ParameterError(f"No provider '{provider}'; there are {sorted(PROVIDERS)}.")
    target = PROVIDERS[provider]
    mailed = decisions.loc[decisions["message"] != CONTROL, ["customer_id", "message"]]
    mailed = mailed.assign(address="")
    refused = mailed.iloc[:0].assign(reason="").drop(columns="address")
    if target.needs_address:
        if addresses is None:
            raise ParameterError(
                f"{target.name} knows customers by their address: give a table with customer_id "
                "and email."
            )
        mailed = mailed.assign(address=_addresses(mailed["customer_id"], addresses))
        reason = mailed["address"].map(_fault if provider == "mailchimp" else _missing)
        refused = mailed[reason != ""].assign(reason=reason[reason != ""]).drop(columns="address")
        mailed = mailed[reason == ""]
        repeated = mailed["address"].str.lower().duplicated()
        doubled = mailed[repeated].assign(reason="another customer has the same address")
        refused = pd.concat([refused, doubled.drop(columns="address")])
        mailed = mailed[~repeated]
    if mailed.empty:
        raise DataError(
            f"There is nothing to send: of {len(decisions)} decisions "
            f"{len(decisions) - len(refused)} are no e-mail and {len(refused)} were refused."
        )
    if len(campaign.encode()) > MAX_FIELD_BYTES:
        raise ParameterError(f"campaign.name has more than {MAX_FIELD_BYTES} bytes.")
    folder.mkdir(parents=True, exist_ok=True)
    for old in [*folder.glob(f"{provider}*.csv"), *folder.glob("list_*.csv")]:
        old.unlink()
    lines = (
        target.row(customer, address, campaign, message)
        for customer, message, address in mailed.itertuples(index=False)
    )
    files = list(_write(folder, provider, target.columns, lines, target.max_bytes))
    for message, group in mailed.groupby("message"):
        stem = "list_" + re.sub(r"[^\w.-]+", "_", str(message))
        files += _write(folder, stem, ("customer_id",), ([c] for c in group["customer_id"]))
    if len(refused):
        rows = refused[["customer_id", "message", "reason"]].itertuples(index=False)
        files += _write(folder, f"{provider}_refused", ("customer_id", "message", "reason"), rows)
    held_back = int((decisions["message"] == CONTROL).sum())
    return Exported(files, len(mailed), held_back, refused.reset_index(drop=True))


def _addresses(customer_id: pd.Series, addresses: pd.DataFrame) -> pd.Series:
    lost = [c for c in ("customer_id", "email") if c not in addresses.columns]
    if lost:
        raise DataError(f"addresses: no columns {lost} among {list(addresses.columns)}.")
    known = addresses.assign(customer_id=addresses["customer_id"].astype("str"))
    if known["customer_id"].duplicated().any():
        twice = known.loc[known["customer_id"].duplicated(), "customer_id"].iloc[0]
        raise DataError(f"addresses: customer {twice!r} has several rows.")
    email = known.set_index("customer_id")["email"].astype("str").str.strip()
    found: pd.Series = customer_id.astype("str").map(email).fillna("")
    return found


def _missing(address: str) -> str:
    if not address:
        return "no address"
    name, at, domain = address.partition("@")
    if not (name and at and "." in domain) or any(c.isspace() for c in address):
        return "not an e-mail address"
    return ""


def _fault(address: str) -> str:
    """Mailchimp takes international characters after the @ only."""
    if _missing(address):
        return _missing(address)
    return "" if address.partition("@")[0].isascii() else "letters before the @ that it refuses"


def _write(
    folder: Path,
    stem: str,
    header: Sequence[str],
    rows: Iterator[Sequence[str]],
    max_bytes: int | None = None,
) -> Iterator[Path]:
    """Write UTF-8 CSV files of at most ``max_bytes``, each with the header."""
    first = _line(header)
    part, size, stream = 0, 0, None
    try:
        for row in rows:
            line = _line(row)
            if stream is None or (max_bytes is not None and size + len(line) > max_bytes):
                if stream is not None:
                    stream.close()
                part += 1
                path = folder / (f"{stem}.csv" if part == 1 else f"{stem}_{part}.csv")
                stream = path.open("wb")
                size = stream.write(first)
                yield path
            size += stream.write(line)
    finally:
        if stream is not None:
            stream.close()


def _line(fields: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(fields)
    return text.getvalue().encode()
