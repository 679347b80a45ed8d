"""From a score to a calibrated probability, and from there to a decision."""
