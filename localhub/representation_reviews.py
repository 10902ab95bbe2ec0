"""How review comments look in JSON. https://docs.github.com/en/rest/pulls/comments"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localhub.model import ReviewComment
from localhub.representation import Json, app, association, node_id, reaction_counts, time_text, user

if TYPE_CHECKING:
    from localhub.state import Urls


def review_comment(urls: Urls, known: ReviewComment) -> Json:
    """A comment on a line, or a reply to one (then with ``in_reply_to_id``)."""
    repo, pull = known.repository, known.pull
    api = f"{urls.api}/repos/{repo.full_name}/pulls"
    url = f"{api}/comments/{known.id}"
    html = f"{urls.web}/{repo.full_name}/pull/{pull.number}"
    ranged = known.start_line is not None
    body: Json = {
        "url": url,
        "pull_request_review_id": known.review_id,
        "id": known.id,
        "node_id": node_id("PRRC", known.id),
        "diff_hunk": known.diff_hunk,
        "path": known.path,
        "commit_id": known.commit_sha,
        "original_commit_id": known.original_commit_sha,
        "user": user(urls, known.user),
        "body": known.body,
        "created_at": time_text(known.created_at),
        "updated_at": time_text(known.updated_at),
        "html_url": f"{html}#discussion_r{known.id}",
        "pull_request_url": f"{api}/{pull.number}",
        "author_association": association(repo, known.user),
        "_links": {
            "self": {"href": url},
            "html": {"href": f"{html}#discussion_r{known.id}"},
            "pull_request": {"href": f"{api}/{pull.number}"},
        },
        "reactions": reaction_counts(url, known.reactions),
        "start_line": known.start_line if known.line is not None else None,
        "original_start_line": known.start_line,
        "start_side": known.side if ranged else None,
        "line": known.line,
        "original_line": known.original_line,
        "side": known.side,
        "subject_type": "file" if known.original_line is None else "line",
        "performed_via_github_app": app(urls, known.via_app) if known.via_app else None,
    }
    if known.in_reply_to is not None:
        body["in_reply_to_id"] = known.in_reply_to.id
    return body
