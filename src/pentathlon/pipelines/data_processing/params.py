"""Parameters of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import RootModel, model_validator

from pentathlon.contract import Message, MessageSet
from pentathlon.contract.source import FileContract
from pentathlon.errors import ParameterError


class DataProcessingParams(FileContract):
    """``data_processing`` in the parameters: the layout of the retailer's file."""


class MessagesParams(RootModel[dict[str, Message]]):
    """``messages`` in the parameters: what each message earns and costs, in column order."""

    @model_validator(mode="after")
    def _make_a_set(self) -> MessagesParams:
        try:
            self.message_set()
        except ParameterError as error:
            raise ValueError(str(error)) from error
        return self

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]
        """Names of the messages, as a mapping gives its keys."""
        return iter(self.root)

    def message_set(self) -> MessageSet:
        """The messages as the library packages take them."""
        return MessageSet(self.root)
