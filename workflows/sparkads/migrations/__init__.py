"""The revisions of the portfolio's tables."""
