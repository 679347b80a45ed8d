"""Detectors on real streams: false alarms under drift, events found, delay."""
