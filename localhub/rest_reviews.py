"""REST: review comments, the reactions on them, and review requests.

https://docs.github.com/en/rest/pulls/comments , https://docs.github.com/en/rest/pulls/review-requests ,
https://docs.github.com/en/rest/reactions/reactions
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from localhub import representation, representation_code, representation_reviews, rest_reactions, reviews
from localhub.api import Answer, Call, Route
from localhub.errors import invalid
from localhub.model import ReviewComment
from localhub.rest_issues import own_or, since
from localhub.rest_pulls import asked_pull
from localhub.rest_reactions import Reacted

_READ = (("pull_requests", "read"),)
_WRITE = (("pull_requests", "write"),)
_PULLS = "/repos/{owner}/{repo}/pulls"
_PULL = f"{_PULLS}/{{pull_number}}"
_COMMENT = f"{_PULLS}/comments/{{comment_id}}"


def _comment(call: Call) -> ReviewComment:
    comment = reviews.comment_of(call.repository, call.number("comment_id"))
    call.fresh(comment.born)
    return comment


def _shown(call: Call, comment: ReviewComment, status: int = 200) -> Answer:
    body = representation_reviews.review_comment(call.state.urls, comment)
    return Answer(body, status, {"Location": str(body["url"])} if status == 201 else {})


def _listing(call: Call, comments: Sequence[ReviewComment]) -> Answer:
    after = since(call)
    found = [
        each
        for each in comments
        if (after is None or each.updated_at >= after) and not call.state.faults.too_fresh(each.born)
    ]
    if call.query("direction", "desc" if call.query("sort") else "asc") == "desc":
        found.reverse()
    return call.listing([representation_reviews.review_comment(call.state.urls, each) for each in found])


async def list_comments(call: Call) -> Answer:
    return _listing(call, asked_pull(call).review_comments)


async def list_repository_comments(call: Call) -> Answer:
    return _listing(call, list(call.repository.review_comments.values()))


async def create_comment(call: Call) -> Answer:
    """A new thread; with ``in_reply_to`` a reply, for which everything but ``body`` is ignored."""
    pull = asked_pull(call)
    author = (call.user, call.actor.via_app)
    parent = call.sent.get("in_reply_to")
    if parent is not None:
        thread = next((each for each in pull.review_comments if each.id == parent), None)
        if thread is None:
            raise invalid("PullRequestReviewComment", "in_reply_to")
        return _shown(call, reviews.reply(call.state, thread, call.sent.get("body"), author), 201)
    place = await asyncio.to_thread(reviews.place_in_diff, pull, call.sent)
    return _shown(call, reviews.add(call.state, pull, place, call.sent.get("body"), author), 201)


async def create_reply(call: Call) -> Answer:
    pull, comment = asked_pull(call), _comment(call)
    if comment.pull is not pull:
        raise invalid("PullRequestReviewComment", "in_reply_to")
    author = (call.user, call.actor.via_app)
    return _shown(call, reviews.reply(call.state, comment, call.sent.get("body"), author), 201)


async def get_comment(call: Call) -> Answer:
    return _shown(call, _comment(call))


async def edit_comment(call: Call) -> Answer:
    comment = _comment(call)
    own_or(call, comment.user)
    reviews.edit(call.state, comment, call.sent.get("body"), call.user)
    return _shown(call, comment)


async def delete_comment(call: Call) -> Answer:
    comment = _comment(call)
    own_or(call, comment.user)
    reviews.delete(call.state, comment, call.user)
    return Answer(status=204)


def _on_comment(call: Call) -> Reacted:
    comment = _comment(call)
    return Reacted(comment.issue, comment.reactions)


async def list_requests(call: Call) -> Answer:
    pull, urls = asked_pull(call), call.state.urls
    body = {
        "users": [representation.user(urls, each) for each in pull.requested_reviewers],
        "teams": [representation_code.team(urls, each) for each in pull.requested_teams],
    }
    return Answer(body)


async def request_reviews(call: Call) -> Answer:
    pull = asked_pull(call)
    reviews.request(call.state, pull, call.sent.get("reviewers"), call.sent.get("team_reviewers"), call.user)
    return Answer(representation_code.pull_request(call.state.urls, pull), 201)


async def remove_requests(call: Call) -> Answer:
    pull = asked_pull(call)
    reviews.take_back(call.state, pull, call.sent.get("reviewers"), call.sent.get("team_reviewers"), call.user)
    return Answer(representation_code.pull_request(call.state.urls, pull))


ROUTES = [
    Route("GET", f"{_PULLS}/comments", list_repository_comments, _READ),
    Route("GET", _COMMENT, get_comment, _READ),
    Route("PATCH", _COMMENT, edit_comment, _WRITE),
    Route("DELETE", _COMMENT, delete_comment, _WRITE),
    *rest_reactions.routes(_COMMENT, _on_comment, _READ, _WRITE),
    Route("GET", f"{_PULL}/comments", list_comments, _READ),
    Route("POST", f"{_PULL}/comments", create_comment, _WRITE),
    Route("POST", f"{_PULL}/comments/{{comment_id}}/replies", create_reply, _WRITE),
    Route("GET", f"{_PULL}/requested_reviewers", list_requests, _READ),
    Route("POST", f"{_PULL}/requested_reviewers", request_reviews, _WRITE, "triage"),
    Route("DELETE", f"{_PULL}/requested_reviewers", remove_requests, _WRITE, "triage"),
]
