"""Each receiver reads its own form, and nothing from an event is more than text in it."""

import json

import pytest
from tests.service.delivery.places import SECOND, notice

from marigram.errors import ParameterError
from marigram.service.delivery import forms
from marigram.service.delivery.channels import Alertmanager, Mail, channels_of, fits, secrets_of
from marigram.service.delivery.messages import Envelope
from marigram.service.delivery.signing import is_genuine, signature, signed_headers

ODD = 'x\r\nBcc: a@b.c <!channel> @here <b>&"\x1b[2J\u202e'
MAIL = Mail(
    name="post", host="mail.example.com", sender="a@example.com", to=("b@example.com", "c@example.com")
)


def test_a_signature_is_that_of_the_public_example() -> None:
    secret, id_ = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    body = b'{"test": 2432232314}'
    assert signature(secret, id_, 1614265330, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_signature_of_another_secret_id_time_or_body_is_refused() -> None:
    headers = signed_headers("0123456789abcdef", "m", 1000, b"{}")
    assert is_genuine("0123456789abcdef", headers, b"{}", 1299)
    assert not is_genuine("0123456789abcdeF", headers, b"{}", 1000)
    assert not is_genuine("0123456789abcdef", headers | {"webhook-id": "n"}, b"{}", 1000)
    assert not is_genuine("0123456789abcdef", headers | {"webhook-timestamp": "1001"}, b"{}", 1000)
    assert not is_genuine("0123456789abcdef", headers, b"{ }", 1000)
    assert not is_genuine("0123456789abcdef", headers, b"{}", 1301)
    assert not is_genuine("0123456789abcdef", headers | {"webhook-signature": "v1,é"}, b"{}", 1000)


def test_the_webhook_has_the_verdict_as_it_is() -> None:
    told = json.loads(forms.webhook_body(Envelope("e1", "hook", (notice(1), notice(2)), 0)))
    assert told["id"] == "e1"
    assert [one["id"] for one in told["notices"]] == ["n1", "n2"]
    assert told["notices"][0]["verdict"] == {"value": 93.1}
    assert told["notices"][0]["opened"] == "2023-11-14T22:13:20Z"


def test_alertmanager_knows_an_alert_by_labels_that_do_not_change() -> None:
    channel = Alertmanager(name="am", url="https://am.example.com", hold=1.0)
    closed = notice(1, what="closed", closed=1_700_000_100 * SECOND, severity=7.0, id="n9")
    first, last = (
        json.loads(forms.alertmanager_body(Envelope("e", "am", (one,), 0), channel))[0]
        for one in (notice(1), closed)
    )
    assert first["labels"] == last["labels"]
    assert first["labels"] == {"alertname": "MarigramAlert", "alert": "a1", "key": "web-7", "service": "web"}
    assert first["endsAt"] == "2023-11-14T23:13:20.000000001Z"
    assert last["endsAt"] == "2023-11-14T22:15:00Z"


def test_alertmanager_gets_names_that_prometheus_takes() -> None:
    channel = Alertmanager(name="am", url="https://am.example.com")
    odd = notice(labels={"0a-b": "c", "": "d"})
    assert {"_0a_b", "_"} < set(
        json.loads(forms.alertmanager_body(Envelope("e", "am", (odd,), 0), channel))[0]["labels"]
    )


def test_a_chat_message_mentions_nobody() -> None:
    body = forms.slack_body(Envelope("e", "chat", (notice(key=ODD, text=ODD),), 0)).decode()
    assert "<!channel>" not in body
    assert "@here" not in body
    assert "\x1b" not in json.loads(body)["text"]


def test_a_mail_has_the_headers_that_were_meant() -> None:
    mail = forms.mail_of(Envelope("e", "post", (notice(key=ODD, text="t"),), 0), MAIL)
    assert mail["Bcc"] is None
    assert "\n" not in mail["Subject"]
    assert mail["Message-ID"] == "<e@marigram.invalid>"
    assert mail["To"] == "b@example.com, c@example.com"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"type": "webhook", "name": "a", "url": "file:///etc/passwd"}, "http"),
        ({"type": "webhook", "name": "a b", "url": "https://x.example/"}, "name"),
        ({"type": "webhook", "name": "a", "url": "https://x.example/", "color": 1}, "color"),
        ({"type": "pager", "name": "a"}, "pager"),
        ({"type": "webhook", "name": "a", "url": "https://x.example/", "wait": -1}, "wait"),
        ({"type": "webhook", "name": "a", "url": "https://x.example/", "allow": ["10.1.0.0/8"]}, "network"),
        ({"type": "alertmanager", "name": "a", "url": "https://x.example/", "hold": 0}, "hold"),
        ({"type": "smtp", "name": "a", "host": "h", "sender": "x", "to": ["b@c.d"]}, "sender"),
        (
            {"type": "smtp", "name": "a", "host": "h", "sender": "a@b.c", "to": ["b@c.d\nBcc: e@f.g"]},
            "sender",
        ),
        (
            {"type": "smtp", "name": "a", "host": "h", "sender": "a@b.c", "to": ["b@c.d"], "user": "u"},
            "password_env",
        ),
    ],
)
def test_a_wrong_channel_is_refused_with_the_reason(config: dict[str, object], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        channels_of([config])


def test_channels_have_different_names_and_their_secrets_are_there() -> None:
    hook = {"type": "webhook", "name": "a", "url": "https://x.example/", "secret_env": "HOOK_SECRET"}
    with pytest.raises(ParameterError, match="same name"):
        channels_of([hook, hook])
    (channel,) = channels_of([hook])
    with pytest.raises(ParameterError, match="HOOK_SECRET"):
        secrets_of(channel, {})
    with pytest.raises(ParameterError, match="at least 16"):
        secrets_of(channel, {"HOOK_SECRET": "short"})
    assert secrets_of(channel, {"HOOK_SECRET": "long enough it is"}) == {"secret_env": "long enough it is"}


def test_patterns_fit_labels_and_a_lacking_label_is_empty() -> None:
    assert fits({}, {})
    assert fits({"a": "x*", "b": "?"}, {"a": "xy", "b": "1"})
    assert not fits({"a": "x*", "b": "?"}, {"a": "xy"})
