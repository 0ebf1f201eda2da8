"""Parameters that several pipelines take: those of ``parameters.yml``."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import RootModel, model_validator

from pentathlon.contract import Message, MessageSet
from pentathlon.errors import ParameterError
from pentathlon.judgement.settings import CampaignSettings
from pentathlon.models.settings import RandomnessSettings


class RandomnessParams(RandomnessSettings):
    """``randomness`` in the parameters: seed and threads of every step."""


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


class CampaignParams(CampaignSettings):
    """``campaign`` in the parameters: the campaign that results are projected to."""
