"""Tests for a change of the norm."""
