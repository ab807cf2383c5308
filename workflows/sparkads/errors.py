"""What sparkads adds to the engine's errors."""

from statewright.errors import StatewrightError


class WrongInput(StatewrightError):
    """What was given cannot be: a wrong code, duration, date or id; nothing was written."""


class FileTrouble(StatewrightError):
    """A file cannot be read or written: it is missing, a folder, not permitted, or the disk is full."""


class RuleBroken(StatewrightError):
    """A rule of Spark Ads forbids it; the sentence says which rule and what to do; nothing was written."""
