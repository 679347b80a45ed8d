"""TLS to an address that was judged, under the name that was meant."""

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest
from tests.service.delivery.places import Heard, answering, names, notice, said

from marigram.service.delivery import forms
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.channels import Mail
from marigram.service.delivery.guard import Guard
from marigram.service.delivery.http import Answer, NoAnswerError, fetch
from marigram.service.delivery.messages import Envelope
from marigram.service.delivery.smtp import send_mail

NAME = "hooks.example.com"
KNOWN = {NAME: ["127.0.0.1"], "other.example.com": ["127.0.0.1"]}
HERE = Guard(networks(["127.0.0.0/8"]), names(KNOWN))


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for NAME alone, and its key."""
    if not shutil.which("openssl"):
        pytest.skip("this machine lacks openssl")
    folder = tmp_path_factory.mktemp("papers")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def own(papers: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*papers)
    return context


def fetched(papers: tuple[Path, Path], host: str, log: list[Heard], trusted: bool = True) -> Answer:
    async def attempt() -> Answer:
        server = await asyncio.start_server(
            answering(lambda _: said(200), log), "127.0.0.1", 0, ssl=own(papers)
        )
        port = server.sockets[0].getsockname()[1]
        trust = ssl.create_default_context(cafile=papers[0]) if trusted else None
        try:
            return await fetch(f"https://{host}:{port}/", HERE, trust=trust)
        finally:
            server.close()

    return asyncio.run(attempt())


def test_a_certificate_of_the_name_is_taken(papers: tuple[Path, Path]) -> None:
    log: list[Heard] = []
    assert fetched(papers, NAME, log).status == 200
    assert log[0].headers["host"].startswith(NAME)


@pytest.mark.parametrize(
    ("host", "trusted"), [("other.example.com", True), ("127.0.0.1", True), (NAME, False)]
)
def test_another_name_or_an_unknown_authority_is_refused(
    papers: tuple[Path, Path], host: str, trusted: bool
) -> None:
    log: list[Heard] = []
    with pytest.raises(NoAnswerError, match="certificate"):
        fetched(papers, host, log, trusted)
    assert log == []


@pytest.mark.parametrize("security", ["tls", "starttls"])
@pytest.mark.parametrize("host", [NAME, "other.example.com"])
def test_mail_goes_over_tls_to_who_has_the_name(papers: tuple[Path, Path], security: str, host: str) -> None:
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if security == "starttls":
            writer.write(b"220 here\r\n")
            while (line := (await reader.readline()).decode().strip()).upper() != "STARTTLS" and line:
                writer.write(b"250-here\r\n250 STARTTLS\r\n")
            writer.write(b"220 go\r\n")
            try:
                await writer.start_tls(own(papers))
            except OSError:
                return
        else:
            writer.write(b"220 here\r\n")
        data = False
        while raw := await reader.readline():
            line = raw.decode().rstrip("\r\n")
            lines.append(line)
            if line in (".", "data"):
                data = line == "data"
                writer.write(b"354 go\r\n" if data else b"250 taken\r\n")
            elif not data:
                writer.write(b"221 bye\r\n" if line == "quit".upper() else b"250 fine\r\n")
        writer.close()

    async def attempt() -> None:
        context = own(papers) if security == "tls" else None
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        channel = Mail(
            name="post", host=host, port=port, security=security, sender="a@example.com", to=("b@example.com",)  # type: ignore[arg-type]
        )  # fmt: skip
        mail = forms.mail_of(Envelope("e", "post", (notice(),), 0), channel)
        try:
            trust = ssl.create_default_context(cafile=papers[0])
            await send_mail(mail, channel, None, HERE, trust)
        finally:
            server.close()
            await asyncio.sleep(0.05)

    if host == NAME:
        asyncio.run(attempt())
        assert "Subject: [marigram] New alert: anomaly of web-7" in lines
    else:
        with pytest.raises(NoAnswerError, match="certificate"):
            asyncio.run(attempt())
        assert lines == []
