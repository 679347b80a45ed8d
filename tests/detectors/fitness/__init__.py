"""Tests of FITNESS."""
