"""The life of an identity: whether an ad account may speak in a TikTok account's name."""

from statemachine import State

from sparkads.tables import BY_CODE, Identity, SparkAd, table
from statewright.chart import Chart
from statewright.workflow import Cascade, Guard, Link, Workflow

_identity = table(Identity).c
_ad = table(SparkAd).c


class IdentityChart(Chart):
    pending = State(initial=True)
    usable = State()
    withdrawn = State()

    grant = pending.to(usable) | withdrawn.to(usable)
    withdraw = usable.to(withdrawn, unless="by_code")


identities = Workflow(
    Identity,
    IdentityChart,
    guards=[
        Guard(
            "by_code",
            _identity.kind == BY_CODE,
            "@{handle} is used through video codes; revoke those instead",
        ),
    ],
    cascades=[
        Cascade(
            "spark_ad",
            "authorize",
            along=Link(_ad.identity_id, _ad.id),
            entering={"usable"},
        ),
        Cascade(
            "spark_ad",
            "lose_authorization",
            along=Link(_ad.identity_id, _ad.id),
            leaving={"usable"},
        ),
    ],
)
