"""The rules of Spark Ads once more, as plain objects in memory: what a portfolio must look like after every step.

Written from the rules alone: no SQL, no chart, nothing of the program but the words for its states.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

USABLE, WITHDRAWN = "usable", "withdrawn"
HELD = {"authorized", "in_review", "live"}
RUNNING = {"pending", *HELD}
OVER = {"expired", "rejected", "revoked", "deleted"}
STANDING = {"authorized", "in_review", "live", "paused", "rejected"}
PROMOTING = {"in_review", "live", "paused"}


class Refused(Exception):
    """The rules forbid it; nothing has changed."""


@dataclass(eq=False)
class Account:
    id: int


@dataclass(eq=False)
class Identity:
    id: int
    account: Account
    kind: str
    handle: str
    state: str = USABLE


@dataclass(eq=False)
class Post:
    id: int
    creator: str
    state: str
    original: Post | None = None
    pushed: bool = False
    enabled: bool = True
    allowed: bool = True
    caption: str = ""

    @property
    def videos(self) -> list[Post]:
        """The posts of all who made it."""
        return [self] if self.original is None else [self, self.original]


@dataclass(eq=False)
class Code:
    id: int
    account: Account
    post: Post
    ends: datetime
    state: str = "pending"
    was_accepted: bool = False


@dataclass(eq=False)
class Group:
    id: int
    account: Account
    ends: datetime | None
    complete: bool
    state: str = "open"


@dataclass(eq=False)
class Ad:
    id: int
    account: Account
    group: Group
    post: Post
    identity: Identity | None
    needs: dict[Post, Code | None]
    state: str = "pending"


@dataclass(eq=False)
class Model:
    now: datetime
    ads_per_account: int
    ads_per_identity: int
    accounts: list[Account] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    ads: list[Ad] = field(default_factory=list)

    # What is there

    def add_account(self) -> Account:
        self.accounts.append(Account(len(self.accounts) + 1))
        return self.accounts[-1]

    def add_post(self, creator: str, state: str, original: Post | None = None) -> Post:
        if original is not None and (original.original is not None or original.pushed):
            raise Refused
        return self._post(Post(len(self.posts) + 1, creator, state, original))

    def push(self, creator: str) -> Post:
        return self._post(Post(len(self.posts) + 1, creator, "draft", pushed=True))

    def add_group(self, account: Account, ends: datetime | None, *, complete: bool) -> Group:
        self.groups.append(Group(len(self.groups) + 1, account, ends, complete))
        return self.groups[-1]

    def delete_group(self, group: Group) -> None:
        self._require(group.state == "open")
        self._require(all(ad.state == "deleted" for ad in self.ads if ad.group is group))
        group.state = "deleted"

    def _post(self, post: Post) -> Post:
        self.posts.append(post)
        return post

    # Identities

    def give(self, account: Account, kind: str, handle: str) -> Identity:
        """Link an account, or authorize it through Business Center."""
        identity = self._identity(account, kind, handle)
        if identity is None:
            return self._new_identity(account, kind, handle)
        self._require(identity.state == WITHDRAWN)
        identity.state = USABLE
        self._adopt(identity)
        return identity

    def take(self, account: Account, kind: str, handle: str) -> None:
        identity = self._identity(account, kind, handle)
        if identity is None or identity.state != USABLE:
            raise Refused
        identity.state = WITHDRAWN
        self._stop(ad for ad in self.ads if ad.identity is identity)

    def _identity(self, account: Account, kind: str, handle: str) -> Identity | None:
        wanted = (account, kind, handle)
        return next((one for one in self.identities if (one.account, one.kind, one.handle) == wanted), None)

    def _new_identity(self, account: Account, kind: str, handle: str) -> Identity:
        identity = Identity(len(self.identities) + 1, account, kind, handle)
        self.identities.append(identity)
        self._adopt(identity)
        return identity

    def _adopt(self, identity: Identity) -> None:
        """Ads that had no identity take this one, as many as there is room for; then its ads may run."""
        room = self.ads_per_identity - len(list(self._counted(identity=identity)))
        orphans = [
            ad
            for ad in self._counted(account=identity.account)
            if ad.identity is None and ad.post.creator == identity.handle
        ]
        for ad in orphans[: max(room, 0)]:
            ad.identity = identity
            if identity.kind != "code":
                ad.needs = {post: code for post, code in ad.needs.items() if post.creator != identity.handle}
        self._restore(ad for ad in self.ads if ad.identity is identity)

    # Posts

    def show(self, post: Post, state: str) -> None:
        self._require(post.state not in ("draft", state))
        if state != "public":
            self._require(not any(ad.post is post and ad.state in PROMOTING for ad in self.ads))
        post.state = state

    def edit_caption(self, post: Post, caption: str) -> None:
        self._require(not any(code.post is post and code.was_accepted for code in self.codes))
        advertised = any(ad.post is post and ad.state not in ("pending", "deleted") for ad in self.ads)
        self._require(not advertised)
        post.caption = caption

    def disable_ads(self, post: Post) -> None:
        post.enabled = False
        self._revoke([code for code in self.codes if code.post is post and code.state in RUNNING])

    # Codes

    def receive(self, account: Account, post: Post, ends: datetime) -> Code:
        self._require(not post.pushed and post.enabled and post.allowed)
        code = Code(len(self.codes) + 1, account, post, ends)
        self.codes.append(code)
        if self._identity(account, "code", post.creator) is None:
            self._new_identity(account, "code", post.creator)
        self._serve(post)
        return code

    def authorize(self, code: Code) -> None:
        self._require(code.state == "pending" and code.ends > self.now)
        self._accept(code)

    def reject(self, code: Code) -> None:
        self._require(code.state == "pending")
        code.state = "rejected"
        self._serve(code.post)

    def extend(self, code: Code, days: int) -> None:
        self._require(code.state in RUNNING or (code.state == "expired" and code.post.enabled))
        code.ends = max(code.ends, self.now) + timedelta(days=days)
        if code.state != "pending":
            self._accept(code)
        self._serve(code.post)

    def revoke(self, code: Code) -> None:
        self._require(code.state in RUNNING)
        self._revoke([code])
        self._serve(code.post)

    def delete_code(self, code: Code) -> None:
        self._require(code.state != "deleted" and not self.users(code))
        code.state = "deleted"

    def users(self, code: Code) -> list[Ad]:
        """The ads that keep a code from being deleted."""
        return [ad for ad in self._counted() if code.post in ad.post.videos]

    def _accept(self, code: Code) -> None:
        if code.state not in HELD:
            code.state = "authorized"
        code.was_accepted = True
        self._restore(ad for ad in self.ads if code in ad.needs.values())
        self._serve(code.post)

    def _revoke(self, codes: list[Code]) -> None:
        for code in codes:
            code.state = "revoked"
        self._stop(ad for ad in self.ads for code in codes if code in ad.needs.values())

    def _best(self, account: Account, post: Post) -> Code | None:
        """What authorizes longest; else what still may."""
        running = [
            code for code in self.codes if code.account is account and code.post is post and code.state in RUNNING
        ]
        return max(running, key=lambda code: (code.state in HELD, code.ends, -code.id), default=None)

    def _serve(self, post: Post) -> None:
        for ad in self._counted():
            if post in ad.needs:
                own, best = ad.needs[post], self._best(ad.account, post)
                useless = own is None or own.state in OVER
                waiting = own is not None and own.state == "pending"
                if best is not None and (useless or (waiting and best.state in HELD)):
                    ad.needs[post] = best
                    self._restore([ad])

    # Ads

    def create(self, group: Group, post: Post, kind: str | None) -> Ad:
        account = group.account
        self._require(group.state == "open")
        identity = self._chosen(account, post, kind)
        self._require(len(list(self._counted(account=account))) < self.ads_per_account)
        if identity is not None:
            self._require(len(list(self._counted(identity=identity))) < self.ads_per_identity)
            self._require(identity.handle == post.creator)
        if post.pushed:
            self._require(identity is not None and identity.kind == "linked")
        spoken_for = identity.handle if identity is not None and identity.kind != "code" else None
        needs = {one: self._best(account, one) for one in post.videos if one.creator != spoken_for}
        ad = Ad(len(self.ads) + 1, account, group, post, identity, needs)
        self.ads.append(ad)
        self._restore([ad])
        return ad

    def send(self, ad: Ad, verb: str) -> None:
        """A verb that somebody sends to an ad."""
        match verb, ad.state:
            case ("submit", "authorized") | ("resubmit", "rejected"):
                self._require(self._ready(ad) and ad.group.complete)
                ad.state = "in_review"
            case "appeal", "rejected":
                self._require(self._ready(ad))
                ad.state = "in_review"
            case "approve", "in_review":
                self._require(self._covered(ad))
                ad.state = "live"
            case "reject", "in_review" | "live" | "paused":
                ad.state = "rejected"
            case "pause", "live":
                ad.state = "paused"
            case "resume", "paused":
                self._require(self._ready(ad))
                ad.state = "live"
            case "delete", state if state != "deleted":
                ad.state = "deleted"
            case _:
                raise Refused
        if ad.state in ("in_review", "live") and not ad.post.pushed:
            ad.post.state = "public"
        if ad.state == "live" and ad.post.state == "draft":
            ad.post.state = "private"
        self._follow()

    def reschedule(self, group: Group, ends: datetime | None) -> None:
        self._require(group.state == "open")
        group.ends = ends
        self._restore(ad for ad in self.ads if ad.group is group)

    def _chosen(self, account: Account, post: Post, kind: str | None) -> Identity | None:
        known = [one for one in self.identities if one.account is account and one.state == USABLE]
        if kind in ("linked", "business_center"):
            known = [one for one in known if one.kind == kind]
            self._require(bool(known))
            return next((one for one in known if one.handle == post.creator), known[0])
        for better in (kind,) if kind else ("linked", "business_center", "code"):
            for one in known:
                if (one.kind, one.handle) == (better, post.creator):
                    return one
        return None

    # What follows by itself

    def tick(self) -> None:
        """Codes end before schedules do."""
        ended = [code for code in self.codes if code.state in RUNNING and code.ends <= self.now]
        for code in ended:
            code.state = "expired"
        self._stop(ad for ad in self.ads if any(code in ended for code in ad.needs.values()))
        for ad in self.ads:
            over = ad.group.ends is not None and ad.group.ends <= self.now
            if over and ad.state in {"pending", *STANDING}:
                ad.state = "expired"
        self._follow()

    def _covered(self, ad: Ad) -> bool:
        return all(code is not None and code.state in HELD and code.ends > self.now for code in ad.needs.values())

    def _ready(self, ad: Ad) -> bool:
        identified = ad.identity is not None and ad.identity.state == USABLE
        scheduled = ad.group.ends is None or ad.group.ends > self.now
        return identified and scheduled and self._covered(ad)

    def _restore(self, ads: Iterable[Ad]) -> None:
        for ad in ads:
            if ad.state in ("pending", "expired") and self._ready(ad):
                ad.state = "authorized"
        self._follow()

    def _stop(self, ads: Iterable[Ad]) -> None:
        for ad in ads:
            if ad.state in STANDING:
                ad.state = "expired"
        self._follow()

    def _follow(self) -> None:
        """While a code is held, its state is how its ads use it."""
        for code in self.codes:
            if code.state in HELD:
                uses = {ad.state for ad in self.ads if code in ad.needs.values()}
                code.state = next((use for use in ("live", "in_review") if use in uses), "authorized")

    def _counted(self, *, account: Account | None = None, identity: Identity | None = None) -> Iterator[Ad]:
        """The ads that are not deleted."""
        for ad in self.ads:
            if (
                ad.state != "deleted"
                and account in (None, ad.account)
                and (identity is None or ad.identity is identity)
            ):
                yield ad

    def waiting_in_vain(self) -> list[Ad]:
        """Ads that have all they need and were not authorized; there must be none."""
        return [ad for ad in self.ads if ad.state in ("pending", "expired") and self._ready(ad)]

    @staticmethod
    def _require(holds: bool) -> None:
        if not holds:
            raise Refused
