"""Nothing that is not public is ever connected to, however it is written."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.delivery.places import Dials, Heard, answering, listening, names, said

from marigram.errors import ParameterError
from marigram.service.delivery.addresses import networks, refusal
from marigram.service.delivery.guard import Guard, RefusedError
from marigram.service.delivery.http import NoAnswerError, fetch

# {p} is the port of a real listener on 127.0.0.1 (and on ::1): a connection would succeed, and be counted
FORMS = [
    # plain
    "http://127.0.0.1:{p}/",
    "http://127.1.2.3:{p}/",
    "http://127.255.255.254:{p}/",
    "http://localhost:{p}/",
    "http://localhost.:{p}/",
    "http://LOCALHOST:{p}/",
    "http://0.0.0.0:{p}/",
    "http://10.0.0.1:{p}/",
    "http://172.16.0.1:{p}/",
    "http://172.31.255.255:{p}/",
    "http://192.168.1.1:{p}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://100.64.0.1:{p}/",
    "http://100.100.100.200/latest/meta-data/",
    "http://192.0.0.192/opc/v1/",
    "http://192.0.2.1:{p}/",
    "http://192.88.99.1:{p}/",
    "http://198.18.0.1:{p}/",
    "http://198.51.100.1:{p}/",
    "http://203.0.113.1:{p}/",
    "http://224.0.0.1:{p}/",
    "http://240.0.0.1:{p}/",
    "http://255.255.255.255:{p}/",
    # other spellings of 127.0.0.1
    "http://2130706433:{p}/",
    "http://0x7f000001:{p}/",
    "http://0x7f.0.0.1:{p}/",
    "http://0x7f.1:{p}/",
    "http://0177.0.0.1:{p}/",
    "http://017700000001:{p}/",
    "http://127.1:{p}/",
    "http://127.0.1:{p}/",
    "http://127.000.000.001:{p}/",
    "http://0:{p}/",
    "http://127.0.0.1.:{p}/",
    "http://127.0.0.0x1:{p}/",
    "http://１２７.0.0.1:{p}/",
    "http://127。0。0。1:{p}/",
    "http://①②⑦.⓪.⓪.①:{p}/",
    "http://ⓛocalhost:{p}/",
    "http://lo\u00adcalhost:{p}/",
    "http://%6c%6f%63%61lhost:{p}/",
    "http://127%2e0.0.1:{p}/",
    # IPv6
    "http://[::1]:{p}/",
    "http://[0:0:0:0:0:0:0:1]:{p}/",
    "http://[::]:{p}/",
    "http://[::ffff:127.0.0.1]:{p}/",
    "http://[::ffff:7f00:1]:{p}/",
    "http://[0:0:0:0:0:ffff:169.254.169.254]/",
    "http://[::127.0.0.1]:{p}/",
    "http://[::ffff:0:127.0.0.1]:{p}/",
    "http://[64:ff9b::7f00:1]:{p}/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::a9fe:a9fe]/",
    "http://[2002:7f00:1::]:{p}/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::1]:{p}/",
    "http://[2001:0:808:808:0:0:80ff:fffe]:{p}/",
    "http://[2606:4700::200:5efe:7f00:1]:{p}/",
    "http://[fe80::1]:{p}/",
    "http://[fe80::1%25lo]:{p}/",
    "http://[fc00::1]:{p}/",
    "http://[fd00:ec2::254]/latest/",
    "http://[fec0::1]:{p}/",
    "http://[ff02::1]:{p}/",
    "http://[2001:db8::1]:{p}/",
    "http://[3fff::1]:{p}/",
    "http://[100::1]:{p}/",
    "http://[::1%lo]:{p}/",
    # two readings
    "http://hooks.example@127.0.0.1:{p}/",
    "http://127.0.0.1:{p}@hooks.example/",
    "http://hooks.example:80@127.0.0.1:{p}/",
    "http://127.0.0.1\\@hooks.example/",
    "http://127.0.0.1:{p}#@hooks.example/",
    "http://127.0.0.1\t:{p}/",
    "http://127.0.0.1\r\nHost: hooks.example/",
    "http:127.0.0.1:{p}/",
    "http:///127.0.0.1:{p}/",
    "//127.0.0.1:{p}/",
    "http://127.0.0.1:{p}\x00.hooks.example/",
    # other schemes
    "file:///etc/passwd",
    "gopher://127.0.0.1:{p}/_x",
    "ftp://127.0.0.1:{p}/",
    "unix:///run/docker.sock",
    "dict://127.0.0.1:{p}/",
    # names
    "http://one-inside.example:{p}/",
    "http://one-of-two-inside.example:{p}/",
    "http://mapped.example:{p}/",
    "http://metadata.google.internal/",
    "http://nat64.example:{p}/",
    "http://127.0.0.1.nip.example:{p}/",
]
KNOWN: dict[str, Sequence[str]] = {
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "one-inside.example": ["127.0.0.1"],
    "one-of-two-inside.example": ["8.8.8.8", "127.0.0.1"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
}


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 60


def test_no_form_is_connected_to() -> None:
    async def attempts() -> tuple[list[str], Dials, list[Heard]]:
        log: list[Heard] = []
        dials, passed = Dials(), []
        guard = Guard(resolve=names(KNOWN), dial=dials)
        async with listening(answering(lambda _: said(200), log)) as port:
            for form in FORMS:
                try:
                    await fetch(form.replace("{p}", str(port)), guard, seconds=5.0)
                except (RefusedError, ParameterError):
                    continue
                passed.append(form)
        return passed, dials, log

    passed, dials, log = asyncio.run(attempts())
    assert (passed, dials.made, log) == ([], [], [])


def test_the_listener_would_have_been_reached() -> None:
    async def attempt() -> tuple[int, list[Heard]]:
        log: list[Heard] = []
        async with listening(answering(lambda _: said(204), log)) as port:
            guard = Guard(networks(["127.0.0.0/8"]), names(KNOWN))
            return (await fetch(f"http://localhost:{port}/a?b", guard)).status, log

    status, log = asyncio.run(attempt())
    assert status == 204
    assert [request.line for request in log] == ["GET /a?b HTTP/1.1"]


def test_a_name_that_changes_its_address_is_asked_once_and_connected_as_judged() -> None:
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["93.184.216.34"] if len(asked) == 1 else ["127.0.0.1"]

    dialled = []

    async def dial(address: str, port: int) -> socket.socket:
        dialled.append(address)
        raise ConnectionRefusedError("nobody there")

    with pytest.raises(NoAnswerError):
        asyncio.run(fetch("http://rebinding.example/", Guard(resolve=resolve, dial=dial)))
    assert (asked, dialled) == (["rebinding.example"], ["93.184.216.34"])


def test_a_socket_that_ends_elsewhere_is_closed_unused() -> None:
    async def attempt() -> list[Heard]:
        log: list[Heard] = []
        async with listening(answering(lambda _: said(200), log)) as port:

            async def misled(address: str, _port: int) -> socket.socket:
                return await Dials()("127.0.0.1", port)

            with pytest.raises(RefusedError, match=r"127\.0\.0\.1 answered"):
                await fetch("http://8.8.8.8/", Guard(dial=misled))
        return log

    assert asyncio.run(attempt()) == []


def test_redirects_are_answers() -> None:
    async def attempt() -> tuple[int, list[tuple[str, int]]]:
        dials = Dials()
        redirect = said(302, Location="http://169.254.169.254/latest/")
        async with listening(answering(lambda _: redirect, [])) as port:
            guard = Guard(networks(["127.0.0.1/32"]), dial=dials)
            answer = await fetch(f"http://127.0.0.1:{port}/", guard)
            assert not answer.good
            return answer.status, dials.made

    status, made = asyncio.run(attempt())
    assert status == 302
    assert len(made) == 1


def test_public_addresses_are_allowed() -> None:
    for text in (
        "8.8.8.8",
        "93.184.216.34",
        "172.15.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
    ):
        assert refusal(ip_address(text)) is None


INSIDE = st.sampled_from(
    ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16", "100.64.0.0/10"]
).flatmap(lambda text: st.ip_addresses(v=4, network=text))


@given(INSIDE, st.integers(0, 2**64 - 1))
def test_no_embedding_lets_an_address_through(inside: IPv4Address, rest: int) -> None:
    number = int(inside)
    embeddings = [
        number,
        0xFFFF << 32 | number,
        0xFFFF0000 << 32 | number,
        0x64FF9B << 96 | number,
        0x64FF9B0001 << 80 | rest % 2**48 << 32 | number,
        0x2002 << 112 | number << 80 | rest,
        0x20010000 << 96 | number << 64 | rest,
        0x20010000 << 96 | rest << 32 & ~0xFFFFFFFF & (2**96 - 1) | number ^ 0xFFFFFFFF,
        0x2606470000000000 << 64 | 0x5EFE << 32 | number,
    ]
    for embedded in embeddings:
        assert refusal(IPv6Address(embedded), networks(["0.0.0.0/0"])) is not None
    assert refusal(inside) is not None
    assert refusal(inside, networks([f"{inside}/32"])) is None


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_global_unicast_is_allowed(address: IPv6Address) -> None:
    if refusal(address) is None:
        assert int(address) >> 125 == 1


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "localhost", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="network"):
        networks([text])
