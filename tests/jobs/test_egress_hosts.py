"""Which names an operator's list lets through, and which addresses a name may lead to."""

from __future__ import annotations

import socket

import pytest

from db.allowed_hosts import AllowedHost, HostPolicy, allowed_host, entry_for, narrowed
from jobs.egress.addresses import LeadsNowhere, NotPublic, is_public, public_addresses

LIST = tuple(
    allowed_host(text) for text in ("pypi.org", "*.pythonhosted.org", "xn--bcher-kva.example", "mirror=10.0.0.5")
)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("pypi.org", AllowedHost("pypi.org")),
        (" PyPI.org ", AllowedHost("pypi.org")),
        ("*.pythonhosted.org", AllowedHost("*.pythonhosted.org")),
        ("mirror=10.0.0.5", AllowedHost("mirror", "10.0.0.5")),
        ("mirror.corp=10.0.0.5:8443", AllowedHost("mirror.corp", "10.0.0.5", 8443)),
        ("mirror.corp=[fd00::5]", AllowedHost("mirror.corp", "fd00::5")),
        ("*.corp.example=[fd00::5]:8443", AllowedHost("*.corp.example", "fd00::5", 8443)),
    ],
)
def test_an_entry_is_read_and_written(text: str, entry: AllowedHost) -> None:
    assert allowed_host(text) == entry
    assert allowed_host(str(entry)) == entry


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "small letters"),
        ("*", "small letters"),
        ("*.org", "one word"),
        ("pypi", "one word"),
        ("pypi.org.", "small letters"),
        ("py*.org", "small letters"),
        ("-a.org", "small letters"),
        ("https://pypi.org", "without https://"),
        ("pypi.org/simple", "without https://"),
        ("pypi.org:443", "without https://"),
        ("user@pypi.org", "without https://"),
        ("bücher.example", "xn-- form"),
        ("10.0.0.1", "an address"),
        ("2130706433.0x7f", "an address"),
        (f"{'a.' * 130}org", "253"),
        ("pypi.org=", "no address"),
        ("pypi.org=localhost", "no address"),
        ("pypi.org=10.0.0.1:0", "a number up to 65535"),
        ("pypi.org=10.0.0.1:70000", "a number up to 65535"),
        ("pypi.org=fd00::5", "no address"),
    ],
)
def test_a_wrong_entry_is_told_with_its_cure(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        allowed_host(text)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("pypi.org", "pypi.org"),
        ("files.pythonhosted.org", "*.pythonhosted.org"),
        ("a.b.pythonhosted.org", "*.pythonhosted.org"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("mirror", "mirror"),
        ("pythonhosted.org", None),
        (".pythonhosted.org", None),
        ("evilpythonhosted.org", None),
        ("pythonhosted.org.evil.example", None),
        ("www.pypi.org", None),
        ("pypi.org.evil.example", None),
        ("pypi.orgs", None),
        ("10.0.0.5", None),
        ("", None),
    ],
)
def test_a_list_covers_what_it_names_and_nothing_beside(host: str, name: str | None) -> None:
    found = entry_for(LIST, host)
    assert (found.name if found else None) == name


def test_a_full_name_comes_before_a_wildcard() -> None:
    entries = [
        allowed_host("*.a.example"),
        allowed_host("x.a.example=10.0.0.1"),
        allowed_host("*.b.a.example=10.0.0.2"),
    ]
    assert [str(entry_for(entries, host)) for host in ("x.a.example", "y.a.example", "z.b.a.example")] == [
        "x.a.example=10.0.0.1",
        "*.a.example",
        "*.b.a.example=10.0.0.2",
    ]


def test_a_repository_may_ask_for_less_and_never_for_more() -> None:
    assert narrowed(LIST, None) == LIST
    assert narrowed(LIST, []) == ()
    asked = ["pypi.org", "files.pythonhosted.org", "mirror", "evil.example", "*.org", "*", "mirror=8.8.8.8"]
    assert [str(entry) for entry in narrowed(LIST, asked)] == ["pypi.org", "files.pythonhosted.org", "mirror=10.0.0.5"]
    assert narrowed((), ["pypi.org"]) == ()


def test_the_list_of_a_repository_stands_instead_of_the_one_for_all() -> None:
    npm = (allowed_host("registry.npmjs.org"),)
    policy = HostPolicy(LIST, {"acme/shop": npm, "acme/*": ()})
    assert policy.given_to("Acme/Shop") == npm
    assert policy.given_to("acme/other") == ()
    assert policy.given_to("acmes/shop") == LIST
    assert HostPolicy().given_to("acme/shop") == ()


@pytest.mark.parametrize("address", ["8.8.8.8", "151.101.0.223", "2a04:4e42::223", "::ffff:8.8.8.8"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "100.100.100.200", "100.64.0.1", "168.63.129.16", "192.0.0.192", "198.18.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fec0::1", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1"),
        *("64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
        *("fe80::1%eth0", "localhost", "", "2130706433"),
    ],
)
def test_every_other_address_is_not(address: str) -> None:
    assert not is_public(address)


async def test_a_name_that_leads_home_is_not_public() -> None:
    with pytest.raises(NotPublic):
        await public_addresses("localhost", 443)
    with pytest.raises(LeadsNowhere):
        await public_addresses("no-such-name.invalid", 443)


async def test_only_the_public_addresses_of_a_name_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def looked_up(host: str, port: int, *_: object, **__: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("169.254.169.254", "151.101.0.223", "8.8.8.8")
        ]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    assert await public_addresses("pypi.org", 443) == ["151.101.0.223", "8.8.8.8"]
