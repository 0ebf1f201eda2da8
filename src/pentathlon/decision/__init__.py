"""Messages, profit, policies, the choice among them, and the engine that decides."""

from pentathlon.decision.blending import ContrastBlend
from pentathlon.decision.choice import PolicyChoice, choose_policy, logged_outcomes
from pentathlon.decision.decisions import Prediction
from pentathlon.decision.engine import DecisionEngine
from pentathlon.decision.exploration import ExplorationSettings, explore
from pentathlon.decision.policies import PERSONALISED, candidate_policies
from pentathlon.decision.profit import expected_profit, realised_profit
from pentathlon.decision.settings import DecisionSettings, SendingSettings
from pentathlon.decision.shrinkage import ContrastShrinkage

__all__ = [
    "PERSONALISED",
    "ContrastBlend",
    "ContrastShrinkage",
    "DecisionEngine",
    "DecisionSettings",
    "ExplorationSettings",
    "PolicyChoice",
    "Prediction",
    "SendingSettings",
    "candidate_policies",
    "choose_policy",
    "expected_profit",
    "explore",
    "logged_outcomes",
    "realised_profit",
]
