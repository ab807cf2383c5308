"""What sparkads adds to the engine's errors."""

from statewright.errors import StatewrightError


class WrongInput(StatewrightError):
    """What was given cannot be: a wrong code, duration, date or id; nothing was written."""


class RuleBroken(StatewrightError):
    """A rule of Spark Ads forbids it; the sentence says which rule and what to do; nothing was written."""
