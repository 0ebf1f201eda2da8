"""Errors for the person who must act: what is wrong, where, and what to do."""


class PentathlonError(Exception):
    """Base of every error that Pentathlon raises on purpose.

    The command line prints the message of these errors alone, without a traceback: the
    message says what is wrong, where, and what to do about it.
    """


class DataError(PentathlonError):
    """A file or a table that does not meet the contract."""


class ParameterError(PentathlonError):
    """A parameter that is missing, misspelled or out of range."""


class EvaluationError(PentathlonError):
    """An estimate that the data at hand cannot honestly give."""


class CalibrationError(PentathlonError):
    """Expected and observed responses that disagree beyond chance."""


class ArtifactError(PentathlonError):
    """A saved model or engine that is incomplete, altered or incompatible."""


class InfeasibleError(PentathlonError):
    """Limits that cannot hold together.

    Attributes
    ----------
    names : list of str
        The limits that clash; without any one of them the others could hold.
    shortfall : dict of str to float
        By how much each would have to give way, at the least in total.
    """

    def __init__(
        self, names: list[str], shortfall: dict[str, float], reason: str | None = None
    ) -> None:
        self.names = names
        self.shortfall = shortfall
        parts = [f"{name} by {by:,.6g}" for name, by in shortfall.items() if by > 0]
        why = reason or f"at the least, {' and '.join(parts)} would have to give way"
        super().__init__(f"These limits cannot hold together: {', '.join(names)}; {why}.")
