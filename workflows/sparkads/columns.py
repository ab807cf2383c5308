"""The columns of the spreadsheets, as people call them: what an import knows and an export writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a spreadsheet.

    meaning:  what goes into it, for people
    required: a file without it is refused
    also:     other names that people give it; case, spaces, hyphens and underscores do not matter
    told:     an export adds it for people; an import takes no notice of it
    """

    name: str
    meaning: str
    required: bool = False
    also: tuple[str, ...] = ()
    told: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of spreadsheet: its name, and its columns in order."""

    name: str
    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def required(self) -> list[str]:
        return [column.name for column in self.columns if column.required]

    def named(self, heading: str) -> Column | None:
        """The column that a heading means, if there is one."""
        return _HEADINGS[self.name].get(_plain(heading))


_ACCOUNT = Column(
    "account",
    "the ad account by name; may be left out while there is only one",
    also=("ad account", "advertiser", "account name"),
)
_POST = (
    Column(
        "creator",
        "who made the post, like @mia; not needed when the post is a URL or known already",
        also=("handle", "creator handle", "username", "tiktok handle"),
    ),
    Column("kind", "original, duet or stitch", also=("post kind", "post type")),
    Column(
        "original",
        "the post that a duet or stitch was made of, as id or URL",
        also=("original post", "original url", "original video"),
    ),
    Column("original_creator", "who made that, unless its URL tells"),
    Column("caption", "the post's caption", also=("text", "post text")),
    Column("visibility", "who sees the post: public, friends, private", also=("privacy", "post privacy")),
    Column("ads_only", "yes, if the video appears only as an ad", also=("only show as ad", "ads only mode")),
)
_POST_NAMES = ("video", "video url", "video id", "post url", "post id", "item id", "url", "link", "tiktok post")
_ACCOUNT_STATE = Column("account_state", "open or closed")
_ID = Column("id", "the number that commands take", told=True)
_OF_REJECTS = (
    Column("line", "the line in the file that was rejected", told=True),
    Column("problem", "why it was rejected", told=True),
)
"""What a rejects file says before the columns of the file that it comes from."""

CODES = Kind(
    "codes",
    (
        _ACCOUNT,
        Column(
            "code",
            "the video code as the creator handed it over",
            required=True,
            also=("video code", "spark code", "spark ads code", "auth code", "authorization code"),
        ),
        Column("post", "the post that it is for, as TikTok's id or URL", required=True, also=_POST_NAMES),
        *_POST,
        Column(
            "days",
            "how many days it was issued for",
            required=True,
            also=("duration", "validity", "authorization days", "authorization duration"),
        ),
        Column(
            "issued_at",
            "when the creator made it, like 2026-03-01T12:00:00Z",
            required=True,
            also=("issued", "issued on", "issue date", "created at", "generated at"),
        ),
        Column(
            "expires_at",
            "when it ends, if it was extended; else that follows from the days",
            also=("expires", "expiry", "expires on", "expiry date", "valid until"),
        ),
        Column("authorized_at", "when TikTok accepted it"),
        Column(
            "state",
            "pending, authorized, expired, rejected, revoked or deleted; pending if empty",
            also=("status",),
        ),
        Column("reason", "why it is in that state", also=("state reason", "rejection reason")),
        _ACCOUNT_STATE,
        Column("fingerprint", "tells the code from others without telling it; recognises a masked code"),
        _ID,
        *_OF_REJECTS,
    ),
)

ADS = Kind(
    "ads",
    (
        _ACCOUNT,
        Column("campaign", "the campaign by name", required=True, also=("campaign name",)),
        Column("ad_group", "the ad group by name", required=True, also=("adgroup", "ad group name", "ad set")),
        Column("name", "what the ad is called", required=True, also=("ad", "ad name", "spark ad")),
        Column(
            "post",
            "the post that it shows, as TikTok's id or URL; empty for a video pushed from Ads Manager",
            required=True,
            also=_POST_NAMES,
        ),
        *_POST,
        Column(
            "origin",
            "tiktok for a post that is there; uploaded, library or creative_tools for a pushed video",
            also=("video source", "source"),
        ),
        Column(
            "identity",
            "linked, business_center or code; the best that there is if empty",
            also=("identity type", "identity kind"),
        ),
        Column("handle", "the identity's TikTok account; the post's creator if empty", also=("identity handle",)),
        Column("identity_state", "usable, pending or withdrawn; usable if empty"),
        Column(
            "state",
            "pending, authorized, in_review, live, paused, rejected, expired or deleted; pending if empty",
            also=("status", "ad status"),
        ),
        Column("reason", "why it is in that state", also=("state reason", "rejection reason")),
        Column("starts_at", "when the ad group begins", also=("start", "starts", "start date", "start time")),
        Column("ends_at", "when it ends; empty if it runs on", also=("end", "ends", "end date", "end time")),
        Column("location", "where it is shown", also=("locations", "country", "countries", "region")),
        Column("ad_group_budget", "what the ad group may cost a day", also=("budget", "daily budget")),
        Column("objective", "what the campaign is to reach", also=("advertising objective", "goal")),
        Column("campaign_budget", "what the campaign may cost a day"),
        Column("codes", "fingerprints of the codes that serve it; the best that there are if empty"),
        _ACCOUNT_STATE,
        Column("campaign_state", "open or deleted"),
        Column("ad_group_state", "open or deleted"),
        _ID,
        Column("covered_until", "when the first of its codes ends", told=True),
        Column("uncovered", "yes, if its schedule outlasts its codes", told=True),
        Column("missing", "the creators whose codes it still lacks", told=True),
        *_OF_REJECTS,
    ),
)

HISTORY = Kind(
    "history",
    (
        Column("at", "when it happened", required=True),
        Column(
            "workflow",
            "what moved: video_code, spark_ad, post, identity, ad_account, campaign or ad_group",
            required=True,
        ),
        Column("account", "the ad account of what moved", required=True),
        Column("campaign", "its campaign", required=True),
        Column("ad_group", "its ad group", required=True),
        Column("name", "the ad's name", required=True),
        Column("post", "TikTok's id of the post", required=True),
        Column("fingerprint", "which code it is, without telling it", required=True),
        Column("identity", "linked, business_center or code", required=True),
        Column("handle", "the identity's TikTok account", required=True),
        Column("deleted", "yes, if the code or ad is deleted by now", required=True),
        Column("event", "what happened", required=True),
        Column("source", "the state before; empty when its life began", required=True),
        Column("target", "the state after", required=True),
        Column("actor", "who did it", required=True),
        Column("reason", "why"),
        Column("due_at", "when a deadline wanted it"),
        Column("payload", "the event's arguments, as JSON"),
        Column("key", "the idempotency key of the call"),
        Column("chart", "which version of the rules decided"),
        Column("batch", "what one call led to shares a number"),
        Column("id", "the number of this entry"),
        Column("cause", "the number of the entry that led to it"),
        *_OF_REJECTS,
    ),
)

KINDS = (CODES, ADS, HISTORY)


def guarded(text: str) -> str:
    """The text as a cell of a CSV file: an apostrophe goes before what a spreadsheet would run as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text behind a cell of a CSV file: the opposite of `guarded`."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def _plain(heading: str) -> str:
    return re.sub(r"[\s_\-]+", " ", heading).strip().lower()


# A column's own name goes before what people call another.
_HEADINGS = {
    kind.name: {
        **{_plain(name): column for column in kind for name in column.also},
        **{_plain(column.name): column for column in kind},
    }
    for kind in KINDS
}
