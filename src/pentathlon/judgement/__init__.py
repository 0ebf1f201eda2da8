"""Judging what was learnt on rows that played no part in learning it.

The arrays come from the decision engine, the estimates from ``pentathlon.evaluation``; this
package puts the two together.
"""

from pentathlon.judgement.comparison import PolicyComparison, compare_policies
from pentathlon.judgement.judged import Judged, Sending, judge_test_rows
from pentathlon.judgement.refitted import judge_cross_fitted, judge_rolling_origin
from pentathlon.judgement.settings import CampaignSettings, EvaluationSettings
from pentathlon.judgement.truth import compare_with_truth

__all__ = [
    "CampaignSettings",
    "EvaluationSettings",
    "Judged",
    "PolicyComparison",
    "Sending",
    "compare_policies",
    "compare_with_truth",
    "judge_cross_fitted",
    "judge_rolling_origin",
    "judge_test_rows",
]
