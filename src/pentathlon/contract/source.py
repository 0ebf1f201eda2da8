"""How a retailer's flat file is laid out: the parameters of ``data_processing``.

Nothing about a retailer is written in code. Which column holds what, how values are
spelled, which values are possible and how messages were assigned are all said here, and
another retailer's file needs another parameters file only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from pentathlon.contract.parse import MISSING_VALUES, token


def _spelling(value: Any) -> str:
    """Text of a configured value, written as the file's values are."""
    if isinstance(value, bool):
        raise ValueError(
            'put yes, no, true, false, on and off in quotes ("yes"): YAML reads them bare as '
            "true or false, which is not what the file says"
        )
    if not isinstance(value, str | int | float):
        raise ValueError(f"expected a text or a number, got {type(value).__name__}")
    return token(value)


Spelling = Annotated[str, BeforeValidator(_spelling)]
Share = Annotated[float, Field(ge=0, lt=1)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RoleColumns(_Rules):
    """Names, in the file, of the columns that record the assignment and its outcome.

    Attributes
    ----------
    customer_id : str or None
        Identifier of the customer; ``None`` uses the row number.
    message, response, order_value : str
        Message assigned, whether the customer bought, what the customer then spent.
    split : str or None
        Column that says which rows train and which test.
    propensity : str or None
        Logged probability of the message that was sent.
    representative : str or None
        Flag of rows drawn at the population's response rate.
    assigned_at : str or None
        When the message was assigned; evaluation may then go along in time.
    """

    customer_id: str | None
    message: str
    response: str
    order_value: str
    split: str | None = None
    propensity: str | None = None
    representative: str | None = None
    assigned_at: str | None = None

    @model_validator(mode="after")
    def _distinct(self) -> RoleColumns:
        names = list(self.present.values())
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"columns named for two roles: {repeated}")
        return self

    @property
    def present(self) -> dict[str, str]:
        """Column by role, without the roles that the file does not have."""
        return {role: name for role, name in self.model_dump().items() if name is not None}


class MissingRules(_Rules):
    """What to do with a missing feature value, by kind of feature.

    Attributes
    ----------
    numeric : {"median", "reject"}
        ``median`` of the training rows' customers, or quarantine the row.
    categorical : {"unknown", "reject"}
        The label ``unknown``, or quarantine the row.
    counts : {"zero", "reject"}
        Zero (no purchase on record), or quarantine the row.
    """

    numeric: Literal["median", "reject"] = "median"
    categorical: Literal["unknown", "reject"] = "unknown"
    counts: Literal["zero", "reject"] = "zero"


class SplitRules(_Rules):
    """Which rows train and which test.

    Attributes
    ----------
    train, test : list of str
        Values of the split column; unused when the file has none.
    test_share : float
        Share of the rows that test where the file does not say, in [0, 1).
    representative : {"train", "test"}
        Where rows flagged as representative go, whatever the split column says of them.
    """

    train: list[Spelling] = []
    test: list[Spelling] = []
    test_share: Share = 0.3
    representative: Literal["train", "test"] = "test"

    @model_validator(mode="after")
    def _disjoint(self) -> SplitRules:
        both = sorted(set(self.train) & set(self.test))
        if both:
            raise ValueError(f"values under both train and test: {both}")
        return self


class SamplingRules(_Rules):
    """Whether the file over-represents buyers.

    Attributes
    ----------
    population_rate : float or None
        Response rate of the population, in (0, 1); ``None`` when the rows already have it.
    """

    population_rate: Annotated[float, Field(gt=0, lt=1)] | None = None


class FileContract(_Rules):
    """Layout of a retailer's file and what to make of it.

    Attributes
    ----------
    columns : RoleColumns
        Where the assignment and its outcome are.
    aliases : dict of str to list of str
        Other names under which a column may appear: ``{female: [gender]}``. Keys are names
        used in ``columns`` or in the features.
    response_values : dict of str to {0, 1}
        What the response column's values mean; without it 0/1, true/false and yes/no are
        understood in any case of letters.
    message_values : dict of str to str
        Message name of each raw spelling; a value that is not listed stands for itself.
    category_values : dict of str to dict of str to str
        By categorical feature: the spelling to use for each variant.
    valid_ranges : dict of str to tuple
        By numeric feature: lowest and highest possible value, ``None`` where open.
    missing_values : list of str
        Texts that mean "no value".
    missing : MissingRules
        Repairs of missing feature values.
    split : SplitRules
        Training and test rows.
    sampling : SamplingRules
        Restoring the population's response rate.
    propensity : {"logged", "uniform", "estimated"}
        Where the probability of the logged message comes from.
    propensity_floor : float
        Lowest propensity that an estimate may take.
    n_folds : int
        Folds of the training rows, at least 2.
    seed : int
        Seed of split and folds.
    allow_repeated_customers : bool
        Whether a customer may have several rows (several e-mails).
    max_rejected_share : float
        Largest share of quarantined rows that is still a usable file.
    """

    columns: RoleColumns
    aliases: dict[str, list[str]] = {}
    response_values: dict[Spelling, Literal[0, 1]] = {}
    message_values: dict[Spelling, str] = {}
    category_values: dict[str, dict[Spelling, Spelling]] = {}
    valid_ranges: dict[str, tuple[float | None, float | None]] = {}
    missing_values: list[str] = list(MISSING_VALUES)
    missing: MissingRules = MissingRules()
    split: SplitRules = SplitRules()
    sampling: SamplingRules = SamplingRules()
    propensity: Literal["logged", "uniform", "estimated"]
    propensity_floor: Annotated[float, Field(gt=0, le=0.1)] = 1 / 200
    n_folds: Annotated[int, Field(ge=2, le=100)] = 5
    seed: Annotated[int, Field(ge=0)]
    allow_repeated_customers: bool = False
    max_rejected_share: Share = 0.05

    @field_validator(
        "aliases",
        "response_values",
        "message_values",
        "category_values",
        "valid_ranges",
        mode="before",
    )
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        # An environment that inherits a mapping can only take an entry out by nulling it.
        if value is None:
            return {}
        if isinstance(value, dict):
            return {key: entry for key, entry in value.items() if entry is not None}
        return value

    @model_validator(mode="after")
    def _consistent(self) -> FileContract:
        if (self.propensity == "logged") != (self.columns.propensity is not None):
            raise ValueError(
                "propensity: logged and columns.propensity go together; "
                f"got propensity: {self.propensity}, columns.propensity: {self.columns.propensity}"
            )
        if self.columns.split is not None and not self.split.train:
            raise ValueError(
                f"split.train: say which values of column '{self.columns.split}' are training rows"
            )
        if self.sampling.population_rate is None and self.columns.representative is not None:
            raise ValueError(
                "sampling.population_rate: columns.representative marks the rows at the "
                "population's rate, so the others are not; give the population's response rate"
            )
        for column, (low, high) in self.valid_ranges.items():
            if low is not None and high is not None and low > high:
                raise ValueError(f"valid_ranges.{column}: {low:g} is above {high:g}")
        return self
