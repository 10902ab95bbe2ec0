"""The two mutations the hub knows, in the forms clients write them, and GitHub's ways of saying no."""

from __future__ import annotations

from typing import Any

import pytest

from localhub import Comment
from localhub.graphql_parser import EnumValue, Field, Fragment, GraphqlSyntaxError, Variable, parse
from tests.localhub.conftest import Company

MINIMIZE = (
    "mutation Fold($input: MinimizeCommentInput!) "
    "{ minimizeComment(input: $input) { minimizedComment { isMinimized minimizedReason } } }"
)


async def ask(
    company: Company, query: str, token: str | None, variables: dict[str, object] | None = None, **more: object
) -> tuple[int, Any]:
    sent = {"query": query, "variables": variables or {}, **more}
    status, body, _ = await company.api("POST", "/graphql", token, sent)
    return status, body


async def node_of(company: Company, comment: Comment) -> str:
    path = f"/repos/{comment.repository.full_name}/issues/comments/{comment.id}"
    _, body, _ = await company.api("GET", path, company.hub.user("bob").token)
    return str(body["node_id"])


async def comment_of(company: Company) -> tuple[Comment, str]:
    comment = await company.hub.comment(company.issue, "an older report", author="alice")
    return comment, await node_of(company, comment)


async def test_the_app_folds_a_comment_away_and_shows_it_again(company: Company) -> None:
    comment, node = await comment_of(company)
    token = await company.token(company.shop, issues="write")
    status, body = await ask(company, MINIMIZE, token, {"input": {"subjectId": node, "classifier": "OUTDATED"}})
    assert status == 200
    folded = {"isMinimized": True, "minimizedReason": "outdated"}
    assert body == {"data": {"minimizeComment": {"minimizedComment": folded}}}
    assert comment.minimized == "outdated"
    undo = (
        f'mutation {{ unminimizeComment(input: {{subjectId: "{node}", clientMutationId: "7"}})'
        " { clientMutationId unminimizedComment { isMinimized } } }"
    )
    _, body = await ask(company, undo, token)
    assert body["data"]["unminimizeComment"] == {"clientMutationId": "7", "unminimizedComment": {"isMinimized": False}}
    assert comment.minimized is None
    record = company.hub.requests[-1]
    assert (record.route, record.path, record.is_write) == ("/graphql", "/graphql", True)
    assert company.hub.violations == []


async def test_the_enterprise_address_answers_too(company: Company) -> None:
    _, node = await comment_of(company)
    token = await company.token(company.shop, issues="write")
    sent = {"query": MINIMIZE, "variables": {"input": {"subjectId": node, "classifier": "SPAM"}}}
    status, body, headers = await company.api("POST", f"{company.hub.url}/api/graphql", token, sent)
    assert (status, "errors" in body, headers["X-RateLimit-Resource"]) == (200, False, "graphql")


async def test_many_at_once_with_aliases_and_fragments(company: Company) -> None:
    (first, one), (second, two) = await comment_of(company), await comment_of(company)
    query = """
    # Folds two.
    mutation Both($a: ID!, $b: ID! = "x", $why: ReportedContentClassifiers = OUTDATED) {
      a: minimizeComment(input: {subjectId: $a, classifier: $why}) {
        minimizedComment { __typename ... on IssueComment { id } ... on Minimizable { folded: isMinimized } }
      }
      b: minimizeComment(input: {subjectId: $b, classifier: OFF_TOPIC}) { __typename minimizedComment { isMinimized } }
    }
    """
    token = await company.token(company.shop, issues="write")
    _, body = await ask(company, query, token, {"a": one, "b": two})
    assert body["data"]["a"]["minimizedComment"] == {"__typename": "IssueComment", "id": one, "folded": True}
    assert body["data"]["b"]["__typename"] == "MinimizeCommentPayload"
    assert (first.minimized, second.minimized) == ("outdated", "off-topic")
    _, body = await ask(company, query, token, {"a": one, "b": "IC_nothing"})
    assert body["data"]["a"] is not None
    assert body["data"]["b"] is None
    (error,) = body["errors"]
    assert (error["type"], error["path"]) == ("NOT_FOUND", ["b"])
    assert error["message"] == "Could not resolve to a node with the global id of 'IC_nothing'"
    assert error["locations"] == [{"line": 7, "column": 7}]


async def test_review_comments_are_folded_with_their_own_permission(company: Company) -> None:
    company.hub.commit_files(company.shop, "side", {"b": "b\n"})
    pull = company.hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    comment = await company.hub.review_comment(pull, "b", 1, "hm", author="alice")
    on_pull = await company.hub.comment(pull, "hello", author="alice")
    _, body, _ = await company.api("GET", f"/repos/acme/shop/pulls/comments/{comment.id}")
    token = await company.token(company.shop, issues="write")
    sent: dict[str, object] = {"input": {"subjectId": body["node_id"], "classifier": "RESOLVED"}}
    _, answer = await ask(company, MINIMIZE, token, sent)
    assert (answer["data"]["minimizeComment"], answer["errors"][0]["type"]) == (None, "FORBIDDEN")
    token = await company.token(company.shop, pull_requests="write")
    _, answer = await ask(company, MINIMIZE, token, sent)
    assert answer["data"]["minimizeComment"]["minimizedComment"]["minimizedReason"] == "resolved"
    node = await node_of(company, on_pull)
    _, answer = await ask(company, MINIMIZE, token, {"input": {"subjectId": node, "classifier": "RESOLVED"}})
    assert (on_pull.minimized, "errors" in answer) == ("resolved", False)
    assert [each.kind for each in company.hub.violations] == ["permission"]


async def test_permission_and_scope_are_judged(company: Company) -> None:
    comment, node = await comment_of(company)
    sent: dict[str, object] = {"input": {"subjectId": node, "classifier": "OUTDATED"}}
    _, body = await ask(company, MINIMIZE, await company.token(company.shop, issues="read"), sent)
    assert body["data"] == {"minimizeComment": None}
    assert body["errors"][0]["type"] == "FORBIDDEN"
    assert body["errors"][0]["message"] == "Resource not accessible by integration"
    _, body = await ask(company, MINIMIZE, await company.token(company.vault, issues="write"), sent)
    assert body["errors"][0]["type"] == "FORBIDDEN"
    assert [each.kind for each in company.hub.violations] == ["permission", "scope"]
    secret = company.hub.create_issue(company.vault, "Secret")
    hidden = await node_of(company, await company.hub.comment(secret, "hush", author="bob"))
    sent = {"input": {"subjectId": hidden, "classifier": "OUTDATED"}}
    _, body = await ask(company, MINIMIZE, await company.token(company.shop, issues="write"), sent)
    assert body["errors"][0]["type"] == "NOT_FOUND"
    assert comment.minimized is None


async def test_people_fold_what_they_may(company: Company) -> None:
    comment, node = await comment_of(company)
    sent: dict[str, object] = {"input": {"subjectId": node, "classifier": "OUTDATED"}}
    _, body = await ask(company, MINIMIZE, company.hub.user("mallory").token, sent)
    assert body["errors"][0]["message"] == (
        "mallory does not have the correct permissions to execute `MinimizeComment`"
    )
    company.hub.set_permission(company.shop, "bob", "triage")
    _, body = await ask(company, MINIMIZE, company.hub.user("bob").token, sent)
    assert comment.minimized == "outdated"
    company.shop.archived = True
    _, body = await ask(company, MINIMIZE, company.hub.user("bob").token, sent)
    assert "archived" in body["errors"][0]["message"]


async def test_who_nobody_knows_is_refused_with_a_status(company: Company) -> None:
    assert (await ask(company, MINIMIZE, None))[0] == 401
    status, body = await ask(company, MINIMIZE, "ghs_" + "x" * 40)
    assert (status, body["message"]) == (401, "Bad credentials")
    assert (await ask(company, MINIMIZE, company.jwt()))[0] == 401
    token = await company.token()
    assert (await ask(company, "", token))[0] == 400
    assert (await company.api("POST", "/graphql", token, {"query": MINIMIZE, "variables": "x"}))[0] == 400


async def test_the_bad_days_of_graphql(company: Company) -> None:
    comment, node = await comment_of(company)
    token = await company.token()
    sent: dict[str, object] = {"input": {"subjectId": node, "classifier": "OUTDATED"}}
    company.hub.faults.add("POST", "/graphql", status=200)
    status, body = await ask(company, MINIMIZE, token, sent)
    assert (status, body["data"], "Something went wrong" in body["errors"][0]["message"]) == (200, None, True)
    assert comment.minimized is None
    company.hub.faults.add("POST", "/graphql", status=502, after_write=True)
    assert (await ask(company, MINIMIZE, token, sent))[0] == 502
    assert comment.minimized == "outdated"
    company.hub.faults.rate_limit("primary", 30, pattern="/graphql")
    status, body, headers = await company.api("POST", "/graphql", token, {"query": MINIMIZE, "variables": sent})
    assert (status, body["errors"][0]["type"], headers["X-RateLimit-Remaining"]) == (200, "RATE_LIMITED", "0")
    company.hub.faults.clear()
    company.hub.faults.rate_limit("secondary", 30, pattern="/graphql")
    status, body, headers = await company.api("POST", "/graphql", token, {"query": MINIMIZE, "variables": sent})
    assert (status, headers["Retry-After"]) == (403, "30")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("query { viewer { login } }", "Field 'viewer' doesn't exist on type 'Query'"),
        ("{ rateLimit { cost } }", "Field 'rateLimit' doesn't exist on type 'Query'"),
        ('mutation { addComment(input: {body: "x"}) { id } }', "Field 'addComment' doesn't exist on type 'Mutation'"),
    ],
)
async def test_anything_else_is_an_unknown_route(company: Company, query: str, said: str) -> None:
    status, body = await ask(company, query, await company.token())
    assert (status, body["errors"][0]["message"], "data" in body) == (200, said, False)
    assert len(company.hub.unknown_routes) == 1
    assert company.hub.unknown_routes[0].startswith("POST /graphql: ")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ('input: {subjectId: "IC_x", classifier: "OUTDATED"}', "Expected type 'ReportedContentClassifiers!'"),
        ('input: {subjectId: "IC_x", classifier: OLD}', "Expected type 'ReportedContentClassifiers!'"),
        ('input: {subjectId: "IC_x"}', "Argument 'classifier'"),
        ("input: {classifier: OUTDATED}", "Argument 'subjectId'"),
        ('input: {subjectId: "IC_x", classifier: OUTDATED, why: 1}', "doesn't accept argument 'why'"),
        ("id: 7", "missing required arguments: input"),
        ("input: $missing", "used but not declared"),
    ],
)
async def test_what_does_not_fit_the_schema(company: Company, arguments: str, word: str) -> None:
    query = f"mutation {{ minimizeComment({arguments}) {{ minimizedComment {{ isMinimized }} }} }}"
    status, body = await ask(company, query, await company.token())
    assert (status, word in body["errors"][0]["message"]) == (200, True), body


@pytest.mark.parametrize(
    "selection", ["", "{ minimizedComment }", "{ nope }", "{ minimizedComment { body } }", "{ minimizedComment { x } }"]
)
async def test_selections_that_do_not_fit(company: Company, selection: str) -> None:
    comment, node = await comment_of(company)
    query = f'mutation {{ minimizeComment(input: {{subjectId: "{node}", classifier: SPAM}}) {selection} }}'
    status, body = await ask(company, query, await company.token())
    assert (status, "data" in body, len(body["errors"])) == (200, False, 1)
    assert comment.minimized is None


async def test_the_operation_is_chosen_by_name(company: Company) -> None:
    comment, node = await comment_of(company)
    token = await company.token()
    query = f"query Other {{ viewer {{ login }} }} {MINIMIZE}"
    sent: dict[str, object] = {"input": {"subjectId": node, "classifier": "SPAM"}}
    _, body = await ask(company, query, token, sent)
    assert body["errors"][0]["message"] == "An operation name is required"
    _, body = await ask(company, query, token, sent, operationName="Fold")
    assert comment.minimized == "spam"


@pytest.mark.parametrize(
    "query", ["mutation {", "mutation { a( }", "mutation { a(b: ) }", 'mutation { a(b: "\\q") { c } }', "§"]
)
async def test_no_graphql_at_all(company: Company, query: str) -> None:
    status, body = await ask(company, query, await company.token())
    assert (status, "locations" in body["errors"][0]) == (200, True)


def test_documents_are_read() -> None:
    arguments = 'a: $a, b: [1, -2.5e3, true, null], c: {d: E}, e: """two\nlines"""'
    text = f"query Q($a: [ID!]! = []) {{ x: f({arguments}) {{ ... {{ g }} }} }}"
    (operation,) = parse(text)
    assert (operation.kind, operation.name, operation.variables) == ("query", "Q", {"a": "[ID!]!"})
    (field,) = operation.selections
    assert isinstance(field, Field)
    assert (field.name, field.key) == ("f", "x")
    assert field.arguments == {
        "a": Variable("a"),
        "b": [1, -2500.0, True, None],
        "c": {"d": EnumValue("E")},
        "e": "two\nlines",
    }
    assert field.selections == (Fragment(None, (Field("g", "g", {}, (), 2, 19),)),)
    with pytest.raises(GraphqlSyntaxError, match=r"\[1, 3\]"):
        parse("{ ! }")
