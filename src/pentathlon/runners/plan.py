"""Which nodes must run, and why: decided before the first one does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from pentathlon.runners.content import (
    ABSENT,
    UnknownContentError,
    is_ignored,
    is_memory,
    is_versioned,
    latest,
    load_version,
    pin,
)
from pentathlon.runners.facts import (
    Inquiry,
    KnownFacts,
    bare,
    check_contents,
    fingerprint,
    is_parameter,
)
from pentathlon.runners.state import Facts, State, Success
from pentathlon.runners.values import NoDigestError

_SHOWN = 3
_ANOTHER = "not what its last success wrote"
_CHANGED = {
    "wiring": "its {name} changed",
    "code": "code: {name} changed",
    "libraries": "{name} has another version",
    "variables": "environment variable {name} changed",
    "parameters": "{name} changed",
    "catalog": "catalog entry {name} changed",
    "inputs": "input {name} changed",
}


@dataclass
class NodeDecision:
    """Whether a node runs.

    Attributes
    ----------
    node : Node
    known : KnownFacts
    fingerprint : str
        Of what the node would be given now.
    reasons : list of str
        Why it runs; empty if it does not.
    """

    node: Node
    known: KnownFacts
    fingerprint: str = ""
    reasons: list[str] = field(default_factory=list)

    @property
    def runs(self) -> bool:
        """Whether the node runs."""
        return bool(self.reasons)

    def lines(self) -> list[str]:
        """Say it to people."""
        if not self.reasons:
            return [f"skip  {self.node.name}: nothing has changed since its last success."]
        first, *others = self.reasons
        return [f"run   {self.node.name}: {first}", *(f"        {other}" for other in others)]


@dataclass
class RunPlan:
    """A decision for every node of a pipeline, in the order in which they run."""

    decisions: list[NodeDecision]

    @property
    def to_run(self) -> list[NodeDecision]:
        """Decisions on the nodes that run."""
        return [decision for decision in self.decisions if decision.runs]

    def lines(self) -> Iterator[str]:
        """Say it to people, with a sum at the end."""
        for decision in self.decisions:
            yield from decision.lines()
        yield f"{len(self.to_run)} of {len(self.decisions)} nodes run."


def plan_run(pipeline: Pipeline, inquiry: Inquiry, state: State) -> RunPlan:
    """Decide for each node of a pipeline.

    A node runs if something that its result depends on is not what it was at its last success,
    or its outputs are not what that success wrote. Then its consumers run, since what they are
    given is made anew; and if one of their inputs is kept in memory only, its maker runs, too.

    Parameters
    ----------
    pipeline : Pipeline
    inquiry : Inquiry
    state : State

    Returns
    -------
    RunPlan
    """
    successes = state.successes()
    for success in successes.values():
        inquiry.made(success)
    makers = {bare(name): node for node in pipeline.nodes for name in node.outputs}
    decisions: dict[str, NodeDecision] = {}
    in_memory: dict[str, str] = {}
    for node in pipeline.nodes:
        decision = NodeDecision(node, inquiry.known(node))
        decision.reasons = _own_reasons(decision, inquiry, successes.get(node.name), in_memory)
        decision.reasons += _results_in_memory(node, pipeline, inquiry)
        for name in node.outputs:
            if is_memory(inquiry.dataset(name)):
                in_memory[bare(name)] = decision.fingerprint
        decisions[node.name] = decision
    _follow(list(decisions.values()), makers, decisions, inquiry)
    plan = RunPlan(list(decisions.values()))
    _pin(plan, makers, decisions, inquiry)
    return plan


def _own_reasons(
    decision: NodeDecision, inquiry: Inquiry, success: Success | None, in_memory: dict[str, str]
) -> list[str]:
    """Reasons that lie in a node itself, its inputs and its outputs."""
    node, known = decision.node, decision.known
    reasons = [*known.obstacles, *check_contents(inquiry, node)]
    if not node.outputs:
        reasons.append("it has no outputs, so nothing shows whether its work is done")
    if node.confirms:
        reasons.append("it confirms datasets, which moves on what the next run reads")
    try:
        facts: Facts = {**known.facts, "inputs": inquiry.inputs(node, in_memory)}
    except (UnknownContentError, NoDigestError) as error:
        return reasons or [f"its inputs cannot be compared: {error}"]
    decision.fingerprint = fingerprint(facts)
    if success is None:
        return [*reasons, "it has no success on record"]
    if success.fingerprint != decision.fingerprint:
        reasons += compare(success.facts, facts)
    for name in node.outputs:
        reasons += _about_output(name, inquiry, success)
    return reasons


def _about_output(name: str, inquiry: Inquiry, success: Success) -> list[str]:
    """Reasons that lie in an output: it must be what the last success wrote."""
    dataset = inquiry.dataset(name)
    if is_memory(dataset) or is_ignored(dataset):
        return []
    written = success.outputs.get(name)
    if written is None:
        return [f"output {name} is not on record"]
    newest = latest(dataset) if is_versioned(dataset) else None
    if newest != written["version"]:
        there = f"the newest version is {newest}" if newest else "there is no version"
        return [f"output {name}: its last success wrote {written['version']}, but {there}"]
    try:
        digest = inquiry.contents.held(dataset, written["version"]).digest
    except UnknownContentError:
        return []  # said before
    if digest == written["digest"]:
        return []
    return [f"output {name} is {'gone' if digest == ABSENT else _ANOTHER}"]


def _results_in_memory(node: Node, pipeline: Pipeline, inquiry: Inquiry) -> list[str]:
    """Reasons of a node that gives results of the run which no file keeps."""
    results = {bare(name) for name in pipeline.outputs()}
    names = [n for n in node.outputs if bare(n) in results and is_memory(inquiry.dataset(n))]
    return [f"output {name} is a result of the run and kept in memory only" for name in names]


def _follow(
    order: list[NodeDecision],
    makers: dict[str, Node],
    decisions: dict[str, NodeDecision],
    inquiry: Inquiry,
) -> None:
    """Have consumers of what is made anew run, and makers of what is in memory."""
    settled = False
    while not settled:
        settled = True
        for decision in order:
            for name in decision.node.inputs:
                maker = makers.get(bare(name))
                if maker is None:
                    continue
                source = decisions[maker.name]
                if source.runs and not decision.runs:
                    decision.reasons.append(f"input {name} is made anew by {maker.name}")
                    settled = False
                elif decision.runs and not source.runs and is_memory(inquiry.dataset(name)):
                    source.reasons.append(
                        f"output {name} is kept in memory only, and {decision.node.name} needs it"
                    )
                    settled = False


def _pin(
    plan: RunPlan, makers: dict[str, Node], decisions: dict[str, NodeDecision], inquiry: Inquiry
) -> None:
    """Have the versions loaded that were looked at, whatever other runs save meanwhile."""
    for decision in plan.decisions:
        for name in (*decision.node.inputs, *decision.node.outputs):
            if is_parameter(name):
                continue
            maker = makers.get(bare(name))
            if maker is None or not decisions[maker.name].runs:
                dataset = inquiry.dataset(name)
                if not is_memory(dataset):
                    pin(dataset, load_version(dataset))


def compare(before: Facts, now: Facts) -> list[str]:
    """Say in what two sets of facts differ.

    Parameters
    ----------
    before, now : dict
        Sections of named digests.

    Returns
    -------
    list of str
        A few reasons for each section.
    """
    reasons: list[str] = []
    for section in dict.fromkeys((*now, *before)):
        old, new = before.get(section, {}), now.get(section, {})
        names = [name for name in dict.fromkeys((*new, *old)) if old.get(name) != new.get(name)]
        reasons += [_describe(section, name, old, new) for name in names[:_SHOWN]]
        if len(names) > _SHOWN:
            reasons.append(f"and {len(names) - _SHOWN} more of its {section} changed")
    return reasons


def _describe(section: str, name: str, old: dict[str, str], new: dict[str, str]) -> str:
    shown = name.replace(":", ".") if section == "code" else name
    text = _CHANGED[section].format(name=shown)
    if section == "libraries" and name in old and name in new:
        return f"{name} was {old[name]} and is {new[name]}"
    if section == "inputs" and name in old and name in new:
        if old[name].split()[0] == new[name].split()[0] != "memory":
            return f"input {name} comes from another success of its node"
        return text
    if name not in old:
        return text.replace("changed", "is new").replace("has another version", "is new")
    if name not in new:
        return text.replace("changed", "is gone").replace("has another version", "is gone")
    return text
