from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pentathlon.hooks.parameter_errors import describe


def test_kedro_run_prints_messages_and_no_traceback(project):
    refuse, parallel, load, wrong, runtime, pipeline, absent, tags = project.run(
        "--pipelines refuse",
        "--pipelines load --runner ParallelRunner",
        "--pipelines load",
        "--params fit.rat=3,fit.tree.max_dept=2,fit.rate=abc",
        "--params fits.rate=3,limit=2",
        "--pipelines lod",
        "--pipelines absent",
        "--tags no-such-tag",
    )
    assert refuse.errors == "Error: Column customer_id is missing in raw.json.\nNode: refuse\n"
    expected = "Error: Row 7 of the file has 3 fields, expected 5.\nNode: reader\n"
    assert load.errors == parallel.errors == expected
    assert wrong.errors == (
        "Error: Wrong parameters:\n"
        "  - fit.rate: given 'abc'; expected a valid number, unable to parse string as a number\n"
        "  - fit.tree.max_dept: not a parameter (given 2). Did you mean 'max_depth'?\n"
        "  - fit.rat: not a parameter (given 3). Did you mean 'rate'?\n"
    )
    assert runtime.errors == (
        "Error: Unknown runtime parameters (--params):\n"
        "  - fits: not a parameter. Did you mean 'fit'?\n"
    )
    assert "Failed to find the pipeline named 'lod'" in pipeline.errors
    assert "not_there.json" in absent.errors
    assert "Pipeline contains no nodes" in tags.errors
    for outcome in (refuse, parallel, load, wrong, runtime, pipeline, absent, tags):
        assert outcome.code == 1
        assert outcome.exception == "SystemExit"
        assert "Traceback" not in outcome.output


def test_tracebacks_on_request_and_for_unexpected_errors(project):
    asked, unexpected = project.run("--pipelines refuse --traceback", "--pipelines crash")
    assert (asked.exception, unexpected.exception) == ("DataError", "RuntimeError")
    assert project.run("--pipelines refuse", PENTATHLON_TRACEBACK="1")[0].exception == "DataError"


def test_the_log_does_not_repeat_an_error_that_is_explained(project):
    done = project.python("-m", "pentathlon", "run", "--pipelines", "refuse")
    assert done.returncode == 1
    assert done.stderr == "Error: Column customer_id is missing in raw.json.\nNode: refuse\n"
    assert "customer_id" not in done.stdout


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Tree(Strict):
    kind: Literal["tree"] = "tree"
    max_depth: int = Field(6, ge=1)


class Net(Strict):
    kind: Literal["net"] = "net"
    layers: list[int] = []


class Settings(Strict):
    trees: list[Tree] = []
    model: Annotated[Tree | Net, Field(discriminator="kind")] = Tree()
    named: dict[str, Net] = {}
    low: float = 0.0
    high: float | None = None
    needed: int

    @model_validator(mode="after")
    def ordered(self):
        if self.high is not None and self.low > self.high:
            raise ValueError("low must not exceed high")
        return self


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({}, "s.needed: missing, but required"),
        (
            {"needed": 1, "trees": [{"max_dept": 2}]},
            "s.trees.0.max_dept: not a parameter (given 2). Did you mean 'max_depth'?",
        ),
        (
            {"needed": 1, "model": {"kind": "net", "layer": 2}},
            "s.model.net.layer: not a parameter (given 2). Did you mean 'layers'?",
        ),
        (
            {"needed": 1, "named": {"a": {"zzz": 2}}},
            "s.named.a.zzz: not a parameter (given 2). Known here: kind, layers.",
        ),
        (
            {"needed": 1, "trees": [{"max_depth": 0}]},
            "s.trees.0.max_depth: given 0; expected greater than or equal to 1",
        ),
        ({"needed": 1, "low": 2, "high": 1}, "s: low must not exceed high"),
        (
            {"needed": {"a": 1}},
            "s.needed: given a mapping; expected a valid integer",
        ),
    ],
)
def test_mistakes_in_words(value, line):
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(value)
    assert describe(caught.value, "s", Settings) == [line]


def test_long_values_are_cut_and_other_errors_pass():
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"needed": "x" * 200})
    assert len(describe(caught.value)[0]) < 160
    assert describe(TypeError("odd"), "a.b") == ["a.b: odd"]
