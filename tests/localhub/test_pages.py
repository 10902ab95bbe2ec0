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
    for piece in (
        "Specs &amp; more",
        "Draft",
        "All phases",
        "specs/spec.md",
        "+# Spec &lt;b&gt;",
        "-# Shop",
        "side/way",
    ):
        assert piece in page
    assert (await look(company, f"/acme/shop/commit/{head}"))[0] == 200
    assert "All phases" in (await look(company, f"/acme/shop/runs/{made['id']}"))[1]
    assert "# Spec" in (await look(company, "/acme/shop/blob/side/way/specs/spec.md"))[1]
    assert "spec.md" in (await look(company, "/acme/shop/tree/side/way/specs"))[1]
    async with company.http.get(f"{hub.url}/acme/shop/issues/2") as answer:
        assert answer.url.path == "/acme/shop/pull/2"
    page = (await look(company, "/acme/shop"))[1]
    assert "Invoices" in page
    assert "acme/shop" in (await look(company, "/"))[1]


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
