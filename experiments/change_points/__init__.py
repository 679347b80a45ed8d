"""Change points: Table 1 of UAI 2023, false alarms, delays, and annotated series."""
