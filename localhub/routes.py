"""The one table of REST routes. Order matters where a path may hold slashes: the more special route comes first."""

from __future__ import annotations

from localhub import (
    graphql,
    rest_apps,
    rest_checks,
    rest_issues,
    rest_labels,
    rest_pulls,
    rest_repositories,
    rest_reviews,
)
from localhub.api import Route

ROUTES: list[Route] = [
    *rest_apps.ROUTES,
    *rest_checks.ROUTES,
    *rest_issues.ROUTES,
    *rest_labels.ROUTES,
    *rest_reviews.ROUTES,
    *rest_pulls.ROUTES,
    *rest_repositories.ROUTES,
    *graphql.ROUTES,
]
