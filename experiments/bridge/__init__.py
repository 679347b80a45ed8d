"""The loop: average precision by labels spent."""
