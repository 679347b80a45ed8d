"""Whole detectors: estimators with a calibrated decision."""
