"""Networks that learn in several processes, each on a part of the nodes."""
