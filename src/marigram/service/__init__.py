"""HTTP, alerts, delivery and pages: what `marigram serve` is made of."""
