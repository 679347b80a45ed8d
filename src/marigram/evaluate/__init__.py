"""Metrics and scorers: how good scores, alarms and whole tables of verdicts are, by labels or by their own promises.

The Numenta Anomaly Benchmark has its own modules: `nab` (the score), `nab_corpus` (a folder of series) and `nab_bench`
(ours beside the published detectors). `tables` prints figures side by side.
"""

from marigram.evaluate.episodes import (
    ChangeScore,
    EpisodeScore,
    change_score,
    episode_score,
    false_alarms_per_day,
    segments,
)
from marigram.evaluate.metrics import BestF1, average_precision, best_f1, precision_recall, roc_auc
from marigram.evaluate.promises import AlarmRates, Level, alarm_rates, calibration, settled

__all__ = [
    "AlarmRates",
    "BestF1",
    "ChangeScore",
    "EpisodeScore",
    "Level",
    "alarm_rates",
    "average_precision",
    "best_f1",
    "calibration",
    "change_score",
    "episode_score",
    "false_alarms_per_day",
    "precision_recall",
    "roc_auc",
    "segments",
    "settled",
]
