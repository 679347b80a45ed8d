"""The joint detector: many coordinates judged by one distance."""
