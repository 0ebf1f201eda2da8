"""The words of the report."""

from __future__ import annotations

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("Message", "One thing that can be done for a customer: a department’s e-mail, or no e-mail."),
    ("No e-mail (control)", "A message like any other, with a predicted profit of its own."),
    ("Policy", "A rule that says which message each customer gets."),
    ("Decision", "The message that the policy picks for one customer."),
    (
        "Propensity",
        "The probability with which the past campaign picked the message that a customer got.",
    ),
    ("Response", "The customer bought something in the time observed, in whichever department."),
    ("Order value", "What a customer who bought spent."),
    (
        "Purchase probability",
        "The models’ probability that a customer buys, given the message.",
    ),
    (
        "Expected profit",
        "Purchase probability times expected order value times margin, less what the message "
        "costs.",
    ),
    (
        "Claimed profit",
        "The mean of the models’ own predictions under a policy. The policy was picked by these "
        "very predictions, so it tends to promise too much.",
    ),
    (
        "Supported profit",
        "What a policy earns judged by outcomes of customers who had no part in making it, with "
        "an interval.",
    ),
    ("Inflation", "Claimed profit less supported profit."),
    (
        "Gain",
        "The difference in supported profit between two policies, taken customer by customer.",
    ),
    ("Uplift", "What a message adds compared with no e-mail."),
    (
        "Interval",
        "Made by a rule that, over many repetitions, catches the true value as often as its "
        "confidence says.",
    ),
    (
        "IPS, SNIPS, AIPW",
        "Three ways to value a policy on randomised outcomes. IPS reweights them, SNIPS also "
        "normalises the weights, AIPW adds the models’ predictions and corrects them.",
    ),
    (
        "Gate",
        "The test that the personalised policy must pass against the best single message before "
        "it may ship.",
    ),
    (
        "Lift",
        "The response rate of a group of customers over the average response rate.",
    ),
    (
        "Fusion",
        "One calibrated purchase probability made of those of several models.",
    ),
)
