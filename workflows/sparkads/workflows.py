"""All lives of a portfolio together: accounts, identities, posts, codes, campaigns and ads move one another."""

from sparkads.campaign import accounts, ad_groups, campaigns
from sparkads.identity import identities
from sparkads.post import posts
from sparkads.spark_ad import ads
from sparkads.video_code import codes
from statewright.workflows import Workflows

WORKFLOWS = Workflows(codes, ads, posts, identities, accounts, campaigns, ad_groups)
"""In the order in which a sweep serves them: codes end before schedules do."""
