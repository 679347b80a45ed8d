"""One folder a paper or table: what it claims, and what our run of it shows."""
