"""The pages people click through in the demo."""

from __future__ import annotations

import pytest

from localhub.pages.markdown import render
from tests.localhub.conftest import Company


async def look(company: Company, path: str) -> tuple[int, str]:
    async with company.http.get(company.hub.url + path) as answer:
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        return answer.status, await answer.text()


async def test_an_issue_and_its_thread(company: Company) -> None:
    comment = await company.hub.comment(company.issue, "a **bold** word", author="alice")
    token = await company.token()
    body = {"body": "<!-- run=1 -->\n| phase |\n|---|\n| clone |\n\n- [x] done"}
    await company.api("POST", "/repos/acme/shop/issues/1/comments", token, body)
    await company.api("POST", f"/repos/acme/shop/issues/comments/{comment.id}/reactions", token, {"content": "rocket"})
    bot = company.hub.issue_thread(company.issue)[1]
    await company.hub.edit_comment(bot, body["body"] + "\n\nlater")
    status, page = await look(company, "/acme/shop/issues/1")
    assert status == 200
    assert "<strong>bold</strong>" in page
    assert f'id="issuecomment-{comment.id}"' in page
    assert "<td>clone</td>" in page
    assert "☑ done" in page
    assert "run=1" not in page
    assert '<span class="badge">bot</span>' in page
    assert "· edited" in page
    assert "🚀 speckit-bot[bot]" in page


async def test_a_pull_request_with_its_diff_and_checks(company: Company) -> None:
    hub = company.hub
    head = hub.commit_files(company.shop, "side/way", {"specs/spec.md": "# Spec <b>\n", "README.md": "# Shop!\n"})
    token = await company.token()
    wish = {"title": "Specs & more", "head": "side/way", "base": "main", "draft": True, "body": "Refs #1"}
    await company.api("POST", "/repos/acme/shop/pulls", token, wish)
    output = {"title": "All phases", "summary": "fine"}
    run = {"name": "speckit", "head_sha": head, "conclusion": "success", "output": output}
    _, made, _ = await company.api("POST", "/repos/acme/shop/check-runs", token, run)
    status, page = await look(company, "/acme/shop/pull/2")
    assert status == 200
    for piece in ("Specs &amp; more", "Draft", "All phases", "side/way"):
        assert piece in page
    page = (await look(company, "/acme/shop/pull/2/files"))[1]
    for piece in ("specs/spec.md", "+# Spec &lt;b&gt;", "-# Shop"):
        assert piece in page
    assert "Change files" in (await look(company, "/acme/shop/pull/2/commits"))[1]
    assert "fine" in (await look(company, "/acme/shop/pull/2/checks"))[1]
    assert (await look(company, f"/acme/shop/commit/{head}"))[0] == 200
    assert "All phases" in (await look(company, f"/acme/shop/runs/{made['id']}"))[1]
    assert "# Spec" in (await look(company, "/acme/shop/blob/side/way/specs/spec.md"))[1]
    assert "spec.md" in (await look(company, "/acme/shop/tree/side/way/specs"))[1]
    async with company.http.get(f"{hub.url}/acme/shop/issues/2") as answer:
        assert answer.url.path == "/acme/shop/pull/2"
    assert "Specs &amp; more" in (await look(company, "/acme/shop/pulls"))[1]
    assert "acme/shop" in (await look(company, "/"))[1]


async def test_lists_of_issues(company: Company) -> None:
    company.hub.create_label(company.shop, "speckit:specify", "0e8a16", "Starts a run")
    await company.hub.label(company.issue, "speckit:specify", author="alice")
    other = company.hub.create_issue(company.shop, "Another")
    company.hub.set_state(other, "closed")
    page = (await look(company, "/acme/shop/issues"))[1]
    assert ("Invoices" in page, "Another" in page) == (True, False)
    assert '<span class="label c-0e8a16" title="Starts a run">speckit:specify</span>' in page
    page = (await look(company, "/acme/shop/issues?state=closed"))[1]
    assert ("Invoices" in page, "Another" in page) == (False, True)
    assert "Invoices" not in (await look(company, "/acme/shop/issues?label=bug"))[1]
    async with company.http.get(f"{company.hub.url}/-/style.css") as answer:
        assert ".label.c-0e8a16 { background: #0e8a16; color: #ffffff; }" in await answer.text()


async def test_a_thread_shows_what_happened_and_folds_what_is_outdated(company: Company) -> None:
    hub = company.hub
    old = await hub.comment(company.issue, "an older report", author="alice")
    hub.minimize(old)
    await hub.label(company.issue, "bug", author="alice")
    await hub.assign(company.issue, company.app, author="alice")
    await hub.edit_issue(company.issue, title="Pay by invoice", author="alice")
    hub.set_state(company.issue, "closed", author="alice")
    page = " ".join((await look(company, "/acme/shop/issues/1"))[1].split())
    assert "This comment was marked as outdated." in page
    assert f'<details class="message minimized" id="issuecomment-{old.id}">' in page
    told = ("added the", "assigned <b>speckit-bot[bot]</b>", "changed the title <del>Invoices</del>", "closed this")
    places = [page.index(piece) for piece in told]
    assert places == sorted(places)


async def test_a_review_is_shown_on_its_line(company: Company) -> None:
    hub = company.hub
    head = hub.commit_files(company.shop, "side", {"spec.md": "# Spec\n\nIt remembers.\n"})
    pull = hub.open_pull_request(company.shop, "side", "main", "Side", author="alice")
    hub.set_permission(company.shop, "bob", "read")
    await hub.request_review(pull, "bob", author="alice")
    comment = await hub.review_comment(pull, "spec.md", 3, "For how **long**?", author="bob")
    await hub.reply(comment, "A year.", author="alice")
    note = {"path": "spec.md", "start_line": 3, "end_line": 3, "annotation_level": "warning", "message": "Vague <i>"}
    output = {"title": "One open question", "summary": "| a |\n|---|\n| b |", "annotations": [note]}
    action = {"label": "Retry", "identifier": "retry", "description": "Run it again"}
    sent = {"name": "speckit", "head_sha": head, "conclusion": "action_required", "output": output, "actions": [action]}
    _, made, _ = await company.api("POST", "/repos/acme/shop/check-runs", await company.token(), sent)
    files = (await look(company, "/acme/shop/pull/2/files"))[1]
    order = ("It remembers.", "Vague &lt;i&gt;", "For how <strong>long</strong>?", "A year.")
    places = [files.index(piece) for piece in order]
    assert places == sorted(places)
    conversation = (await look(company, "/acme/shop/pull/2"))[1]
    for piece in ("For how <strong>long</strong>?", "A year.", "One open question", 'title="Review is asked for"'):
        assert piece in conversation
    assert "requested a review from <b>bob</b>" in conversation
    run = (await look(company, f"/acme/shop/runs/{made['id']}"))[1]
    for piece in (
        "<td>b</td>",
        "Vague &lt;i&gt;",
        "It remembers.",
        '<span class="button" title="Run it again">Retry</span>',
    ):
        assert piece in run
    assert f'href="/acme/shop/blob/{head}/spec.md#L3"' in run
    assert '<tr id="L3">' in (await look(company, f"/acme/shop/blob/{head}/spec.md"))[1]
    hub.commit_files(company.shop, "side", {"spec.md": "# Spec\n\nIt forgets.\n"})
    assert "Outdated" in (await look(company, "/acme/shop/pull/2"))[1]


async def test_merged_and_forked_pull_requests_say_so(company: Company) -> None:
    fork = company.hub.fork(company.shop, "mallory")
    company.hub.commit_files(fork, "fix", {"fix.md": "fixed\n"})
    pull = company.hub.open_pull_request(company.shop, "fix", "main", "Fix", author="mallory", from_fork=fork)
    assert "mallory:fix" in (await look(company, "/acme/shop/pull/2"))[1]
    assert "forked from" in (await look(company, "/mallory/shop"))[1]
    await company.hub.merge_pull_request(pull, author="alice")
    company.hub.delete_repository(fork)
    page = (await look(company, "/acme/shop/pull/2"))[1]
    assert ("Merged" in page, "unknown repository" in page) == (True, True)


async def test_private_and_missing_pages_look_the_same(company: Company) -> None:
    company.hub.create_issue(company.vault, "Secret plan")
    answers = [
        await look(company, path)
        for path in ("/acme/vault", "/acme/vault/issues/1", "/acme/gone", "/acme/shop/issues/9")
    ]
    assert [status for status, _ in answers] == [404] * 4
    assert answers[0][1] == answers[2][1]
    assert "vault" not in (await look(company, "/"))[1]


async def test_empty_and_odd_repositories_have_a_page(company: Company) -> None:
    company.hub.create_repository("acme/empty")
    assert (await look(company, "/acme/empty"))[0] == 200
    company.hub.create_repository("acme/odd", {".git/config": "x", "a\nb": "x", "<i>.md": "x"})
    status, page = await look(company, "/acme/odd")
    assert (status, "&lt;i&gt;.md" in page) == (200, True)
    assert (await look(company, "/acme/shop/tree/main/..%2F..%2Fetc"))[0] == 404


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("<script>alert(1)</script>", "<script"),
        ("<details onclick=x>a</details>", "<details"),
        ("[a](javascript:alert(1))", "href"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ("<!-- > --><script>", "<script"),
        ("a <!-- hidden --> b", "hidden"),
    ],
)
def test_markdown_lets_nothing_through(text: str, refused: str) -> None:
    assert refused not in render(text)


def test_markdown_keeps_what_comments_use() -> None:
    shown = render("<details>\n<summary>Log</summary>\n\n`x`\n\n</details>\n")
    assert "<details>" in shown
    assert "<summary>Log</summary>" in shown
    assert "<code>x</code>" in shown


def test_line_breaks_and_references_as_on_github() -> None:
    assert render("one\ntwo &#39; <b>", "/acme/shop").count("<br") == 1
    assert "<br" not in render("one\ntwo", file=True)
    shown = render("Refs #1, [see #2](/x), a#3, `#4`", "/acme/shop")
    assert shown.count("<a ") == 2
    assert '<a href="/acme/shop/issues/1">#1</a>' in shown
    shown = render("@grace and @acme/writers, not a@b.c or `@code`", "/acme/shop")
    assert shown.count('<b class="mention">') == 2
