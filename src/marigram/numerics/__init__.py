"""Compiled scalar pieces that every estimator and detector is made of."""
