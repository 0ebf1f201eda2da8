"""Pseudonyms of customers: a keyed hash that nobody can undo, or repeat, without the key.

A pseudonym is ``<id of the key>_<32 hexadecimal digits>``: the first 128 bits of
HMAC-SHA256 (RFC 2104) of the retailer's own identifier. Among five million customers two
share one with a probability below 1e-25.
"""

from __future__ import annotations

import csv
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentathlon.errors import DataError, ParameterError

if TYPE_CHECKING:
    import duckdb

DEVELOPMENT_KEY_ID = "dev"
"""Key of the simulated retailer. It is public, and so are the pseudonyms that it makes."""

_BLOCK = 64
_DIGITS = 32
_SHORTEST_KEY = 32
_HOW = (
    "Put a secret of your own into conf/local/credentials.yml: pseudonyms: {key_id: k1, key: "
    'the output of python -c "import secrets; print(secrets.token_hex(32))"}.'
)


@dataclass(frozen=True)
class PseudonymKey:
    """A key, and those that were used before it.

    Attributes
    ----------
    key_id : str
        Name of the key; pseudonyms begin with it.
    key : str
        The secret, 32 characters or more. Never shown.
    previous : dict of str to str
        Earlier keys by their names: results that are still on disk carry their pseudonyms.
    """

    key_id: str
    key: str = field(repr=False)
    previous: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_credentials(cls, credentials: Mapping[str, Any] | None) -> PseudonymKey:
        """Read the entry ``pseudonyms`` of the credentials.

        Raises
        ------
        ParameterError
            When there is none, or it is incomplete, or its secret is too short.
        """
        if not credentials:
            raise ParameterError(f"There is no key to make pseudonyms of customers with. {_HOW}")
        stray = sorted(set(credentials) - {"key_id", "key", "previous"})
        key_id, key = str(credentials.get("key_id") or ""), str(credentials.get("key") or "")
        previous = {str(k): str(v) for k, v in (credentials.get("previous") or {}).items()}
        if stray or not all(re.fullmatch(r"[a-z][a-z0-9]{0,15}", k) for k in (key_id, *previous)):
            raise ParameterError(
                "The credentials `pseudonyms` hold key_id (up to 16 small letters and digits), "
                f"key and, after a rotation, previous: {{key_id: key}}. {_HOW}"
            )
        if any(len(secret) < _SHORTEST_KEY for secret in (key, *previous.values())):
            raise ParameterError(
                f"A key of the credentials `pseudonyms` is shorter than {_SHORTEST_KEY} "
                f"characters and could be guessed. {_HOW}"
            )
        if key_id in previous:
            raise ParameterError(
                f"The key {key_id} of the credentials `pseudonyms` is listed as previous too. "
                "A new key needs a new name."
            )
        return cls(key_id, key, previous)

    @property
    def for_development(self) -> bool:
        """Whether it is the public key that comes with the project."""
        return self.key_id == DEVELOPMENT_KEY_ID

    def pseudonym(self, identifier: str) -> str:
        """Pseudonym under the present key."""
        return _pseudonym(self.key_id, self.key, identifier)

    def pseudonyms(self, identifier: str) -> list[str]:
        """Pseudonyms under every key, the present one first."""
        keys = {self.key_id: self.key, **self.previous}
        return [_pseudonym(key_id, key, identifier) for key_id, key in keys.items()]

    def proof(self, text: str) -> str:
        """Hash for a record that must not itself identify anybody."""
        return hmac.new(self.key.encode(), f"record:{text}".encode(), "sha256").hexdigest()

    def install(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make SQL functions ``pseudonym(text)`` and ``keyed_hash(text)`` in a database."""
        padded = self.key.encode()
        if len(padded) > _BLOCK:
            from hashlib import sha256

            padded = sha256(padded).digest()
        padded = padded.ljust(_BLOCK, b"\0")
        for name, pad in (("inner_pad", 0x36), ("outer_pad", 0x5C)):
            value = bytes(byte ^ pad for byte in padded).hex()
            connection.execute(f"SET VARIABLE {name} = unhex('{value}')")
        connection.execute(
            "CREATE OR REPLACE TEMP MACRO keyed_hash(x) AS left(sha256(getvariable('outer_pad') "
            f"|| unhex(sha256(getvariable('inner_pad') || encode(x)))), {_DIGITS})"
        )
        connection.execute(
            f"CREATE OR REPLACE TEMP MACRO pseudonym(x) AS '{self.key_id}_' || keyed_hash(x)"
        )


def require_key(key: PseudonymKey | None, *, development_allowed: bool) -> PseudonymKey:
    """Refuse to go on without a key that suits the data.

    Raises
    ------
    ParameterError
        Without a key, or with the public one for real data.
    """
    if key is None:
        raise ParameterError(f"There is no key to make pseudonyms of customers with. {_HOW}")
    if key.for_development and not development_allowed:
        raise ParameterError(
            "The key of the credentials `pseudonyms` is the one that comes with the project: "
            f"everybody knows it, so it protects no real customer. {_HOW}"
        )
    return key


def pseudonymise_file(source: Path, target: Path, column: str, key: PseudonymKey) -> int:
    """Write a CSV file again with pseudonyms in place of identifiers.

    Parameters
    ----------
    source, target : Path
        CSV in UTF-8 with commas.
    column : str
        Column with the identifiers.
    key : PseudonymKey

    Returns
    -------
    int
        Rows written. Identifiers that are empty stay so.

    Raises
    ------
    DataError
        When there is no such column, or the target is the source.
    """
    if target.resolve() == source.resolve():
        raise DataError(f"{target} is the file that is read. Name another one to write.")
    with source.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        header = list(reader.fieldnames or [])
        if column not in header:
            raise DataError(f"{source} has no column {column}; it has {', '.join(header)}.")
        with target.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, header, extrasaction="ignore")
            writer.writeheader()
            rows = 0
            for row in reader:
                name = (row[column] or "").strip()
                writer.writerow({**row, column: key.pseudonym(name) if name else ""})
                rows += 1
    return rows


def _pseudonym(key_id: str, key: str, identifier: str) -> str:
    digest = hmac.new(key.encode(), identifier.encode(), "sha256").hexdigest()
    return f"{key_id}_{digest[:_DIGITS]}"
