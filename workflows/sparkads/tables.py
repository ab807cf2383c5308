"""The rows of a portfolio: accounts, identities, posts, video codes, campaigns, ad groups and Spark Ads."""

from datetime import datetime
from typing import Any, ClassVar

from pydantic import SecretStr
from sqlalchemy import Index, MetaData, Table, UniqueConstraint, inspect
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel, col

from sparkads.secret import SecretText
from statewright.dialects import Forbid, Identifier, Instant, partial_index
from statewright.store import Schema
from statewright.tables import NAMES

metadata = MetaData(naming_convention=NAMES)
SCHEMA = Schema(
    "sparkads", version=5, tables=metadata, migrations="sparkads.migrations", command="sparkads db upgrade"
)
"""The version is raised whenever a table below, a chart's states or a deadline changes."""

LINKED, BUSINESS_CENTER, BY_CODE = "linked", "business_center", "code"
IDENTITY_KINDS = (LINKED, BUSINESS_CENTER, BY_CODE)
"""Identity type 1 is an account's own linked Business Account; type 2 the other two (the article)."""

ORIGINAL, DUET, STITCH = "original", "duet", "stitch"
POST_KINDS = (ORIGINAL, DUET, STITCH)

PULLED = "tiktok"
PUSHED = ("uploaded", "library", "creative_tools")
ORIGINS = (PULLED, *PUSHED)
"""A pulled post is already on TikTok; a pushed video comes from Ads Manager, one of three ways."""


class Row(SQLModel, registry=registry(metadata=metadata)):
    """The base of all rows: tables of our own, apart from an application's."""

    # Whoever has a row validated waits for what that takes: the program never does.
    model_config = {"defer_build": True}
    __tablename__: ClassVar[Any]


class AdAccount(Row, table=True):
    """An advertiser's account in TikTok Ads Manager."""

    __tablename__ = "ad_account"

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    name: str = Field(unique=True)
    state: str = "open"


class Identity(Row, table=True):
    """The TikTok account in whose name an ad account's Spark Ads appear.

    kind: "linked", "business_center" or "code"
    """

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("account_id", "kind", "handle"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    account_id: int = Field(foreign_key="ad_account.id", ondelete="RESTRICT", sa_type=Identifier)
    kind: str
    handle: str
    state: str = "pending"


class Post(Row, table=True):
    """A video: a creator's post on TikTok, or one pushed from Ads Manager that becomes a post.

    item_id:          TikTok's own id; NULL until a pushed video is published
    kind:             "original", or "duet" or "stitch" of the post `original_id`
    origin:           "tiktok" (pulled), or "uploaded", "library", "creative_tools" (pushed)
    state:            who sees it: "draft" (not published yet), "private", "friends", "public"
    ads_only:         it appears only as an ad: not on the page, in search or among recommendations
    posts_allowed, terms_accepted, ads_enabled: what its creator must have switched on before a code is issued
    """

    __tablename__ = "post"

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    item_id: str | None = Field(default=None, unique=True)
    creator: str = Field(index=True)
    kind: str = ORIGINAL
    original_id: int | None = Field(
        default=None, foreign_key="post.id", ondelete="RESTRICT", index=True, sa_type=Identifier
    )
    origin: str = PULLED
    caption: str = ""
    ads_only: bool = False
    posts_allowed: bool = True
    terms_accepted: bool = True
    ads_enabled: bool = True
    state: str = "draft"


class VideoCode(Row, table=True):
    """A creator's permission to advertise a post, for so many days from the moment it was issued.

    code:          the secret itself; shown only when asked for by name
    fingerprint:   tells codes apart, and makes one unique in its account until it is deleted
    hint:          the masked code, for people
    expires_at:    when the authorization ends, past or to come
    expire_due_at: the same while it is armed
    remind_due_at: when somebody should be told that the end is near
    authorized_at: when it was first accepted; NULL if never
    deleted_at:    when it was deleted; NULL if it is not
    """

    __tablename__ = "video_code"

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    account_id: int = Field(foreign_key="ad_account.id", ondelete="RESTRICT", sa_type=Identifier)
    post_id: int = Field(foreign_key="post.id", ondelete="RESTRICT", index=True, sa_type=Identifier)
    code: SecretStr = Field(sa_type=SecretText, repr=False)
    fingerprint: str
    hint: str
    days: int
    issued_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    expire_due_at: datetime | None = Field(default=None, sa_type=Instant)
    remind_due_at: datetime | None = Field(default=None, sa_type=Instant)
    authorized_at: datetime | None = Field(default=None, sa_type=Instant)
    state: str = "pending"
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)


class Campaign(Row, table=True):
    """What the advertiser wants to reach. objective: e.g. "traffic"; budget: a day, in whole currency units."""

    __tablename__ = "campaign"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    account_id: int = Field(foreign_key="ad_account.id", ondelete="RESTRICT", sa_type=Identifier)
    name: str
    objective: str | None = None
    budget: int | None = None
    state: str = "open"


class AdGroup(Row, table=True):
    """Where and when a campaign's ads run. ends_at: NULL runs on; budget: a day, in whole currency units."""

    __tablename__ = "ad_group"
    __table_args__ = (UniqueConstraint("campaign_id", "name"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    campaign_id: int = Field(foreign_key="campaign.id", ondelete="RESTRICT", sa_type=Identifier)
    name: str
    location: str | None = None
    budget: int | None = None
    starts_at: datetime | None = Field(default=None, sa_type=Instant)
    ends_at: datetime | None = Field(default=None, sa_type=Instant)
    state: str = "open"


class SparkAd(Row, table=True):
    """An ad made of a post.

    end_due_at: the end of its ad group's schedule, while that is armed
    stops_at:   when it will stop: with the first of its codes, or with its schedule; NULL while nothing ends it
    deleted_at: when it was deleted; NULL if it is not
    """

    __tablename__ = "spark_ad"

    id: int | None = Field(default=None, primary_key=True, sa_type=Identifier)
    account_id: int = Field(foreign_key="ad_account.id", ondelete="RESTRICT", sa_type=Identifier)
    ad_group_id: int = Field(foreign_key="ad_group.id", ondelete="RESTRICT", index=True, sa_type=Identifier)
    post_id: int = Field(foreign_key="post.id", ondelete="RESTRICT", index=True, sa_type=Identifier)
    identity_id: int | None = Field(
        default=None, foreign_key="identity.id", ondelete="RESTRICT", index=True, sa_type=Identifier
    )
    name: str
    end_due_at: datetime | None = Field(default=None, sa_type=Instant)
    state: str = "pending"
    stops_at: datetime | None = Field(default=None, sa_type=Instant)
    deleted_at: datetime | None = Field(default=None, sa_type=Instant)


class AdCode(Row, table=True):
    """A post of an ad that needs a code, and the code that serves it; NULL while that is missing."""

    __tablename__ = "ad_code"

    ad_id: int = Field(primary_key=True, foreign_key="spark_ad.id", ondelete="RESTRICT", sa_type=Identifier)
    post_id: int = Field(
        primary_key=True, foreign_key="post.id", ondelete="RESTRICT", index=True, sa_type=Identifier
    )
    code_id: int | None = Field(
        default=None, foreign_key="video_code.id", ondelete="RESTRICT", index=True, sa_type=Identifier
    )


def table(row: type[SQLModel]) -> Table:
    """The plain table behind a row class."""
    mapped: Any = inspect(row)
    found: Table = mapped.local_table
    return found


_mark = col(VideoCode.account_id), col(VideoCode.fingerprint)
partial_index("uq_video_code_fingerprint", *_mark, where=col(VideoCode.deleted_at).is_(None), unique=True)
partial_index("ix_video_code_deleted_fingerprint", *_mark, where=col(VideoCode.deleted_at).is_not(None))
_name = col(SparkAd.ad_group_id), col(SparkAd.name)
partial_index("uq_spark_ad_name", *_name, where=col(SparkAd.deleted_at).is_(None), unique=True)
Index("ix_spark_ad_account_id", col(SparkAd.account_id), col(SparkAd.deleted_at))

# The one rule that must stand even against SQL from elsewhere: no ad points at a deleted code.
# Three questions, not one with an OR in it: for that PostgreSQL would read all ads.
_IN_USE = (
    "(EXISTS (SELECT 1 FROM spark_ad WHERE spark_ad.post_id = {code}.post_id AND spark_ad.state <> 'deleted') "
    "OR EXISTS (SELECT 1 FROM post JOIN spark_ad ON spark_ad.post_id = post.id "
    "WHERE post.original_id = {code}.post_id AND spark_ad.state <> 'deleted') "
    "OR EXISTS (SELECT 1 FROM ad_code JOIN spark_ad ON spark_ad.id = ad_code.ad_id "
    "WHERE ad_code.code_id = {code}.id AND spark_ad.state <> 'deleted'))"
)
for _word, _before, _rows, _code in (
    ("kept", "UPDATE OF state", "NEW.state = 'deleted'", "NEW"),
    ("not_replaced", "INSERT", "NEW.state = 'deleted'", "NEW"),
    ("not_removed", "DELETE", None, "OLD"),
):
    Forbid(
        name=f"video_code_is_{_word}_while_used",
        before=_before,
        rows=_rows,
        when=_IN_USE.format(code=_code),
        message="an ad that is not deleted uses the video of this code",
    ).attach(table(VideoCode))
for _when in ("INSERT", "UPDATE"):
    Forbid(
        name=f"ad_code_is_not_deleted_on_{_when.lower()}",
        before=_when,
        when="EXISTS (SELECT 1 FROM video_code WHERE id = NEW.code_id AND state = 'deleted')",
        message="this code is deleted; no ad can use it",
    ).attach(table(AdCode))
Forbid(
    name="spark_ad_is_not_revived_on_a_deleted_code",
    before="UPDATE OF state",
    rows="OLD.state = 'deleted' AND NEW.state <> 'deleted'",
    when=(
        "EXISTS (SELECT 1 FROM ad_code "
        "JOIN video_code ON video_code.id = ad_code.code_id "
        "WHERE ad_code.ad_id = NEW.id AND video_code.state = 'deleted')"
    ),
    message="a code of this ad is deleted",
).attach(table(SparkAd))
