"""Delivery: from the outbox to people, and to nobody else."""

from marigram.service.delivery.channels import AnyChannel, channels_of
from marigram.service.delivery.courier import Courier
from marigram.service.delivery.guard import Guard, RefusedError
from marigram.service.delivery.http import Answer, NoAnswerError, fetch

__all__ = [
    "Answer",
    "AnyChannel",
    "Courier",
    "Guard",
    "NoAnswerError",
    "RefusedError",
    "channels_of",
    "fetch",
]
