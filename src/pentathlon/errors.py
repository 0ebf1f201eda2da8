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
