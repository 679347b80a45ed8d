"""Named data: small real series that ship with the package, and larger ones on this disk. Nothing is downloaded.

>>> from marigram import datasets
>>> datasets.names()
['nyc-taxi', 'rds-cpu', 'request-latency']
>>> series = datasets.load("rds-cpu")
>>> series.values[:3].tolist(), series.key
([6.456, 5.816, 6.268], 'rds_cpu_utilization_cc0c53')
"""

from marigram.datasets.local import DatasetMissingError, find
from marigram.datasets.logs import EventLog, cloudtrail, cloudtrail_path
from marigram.datasets.shipped import Dataset, Info, info, load, names, path

__all__ = [
    "Dataset",
    "DatasetMissingError",
    "EventLog",
    "Info",
    "cloudtrail",
    "cloudtrail_path",
    "find",
    "info",
    "load",
    "names",
    "path",
]
