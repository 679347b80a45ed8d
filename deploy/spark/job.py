"""Events that land as Parquet files are judged as they come; their verdicts are Parquet files beside them.

The columns are those of the example; everything else is told by the environment, so that one image serves many
streams. Started again with the same folders, it goes on where its checkpoint stands.
"""

import os

from marigram.engines.spark import detect, session

EVENTS, VERDICTS, STATE = (os.environ[name] for name in ("EVENTS", "VERDICTS", "STATE"))
SCHEMA = "host string, ts timestamp, load double, uid string"

spark = session(partitions=int(os.environ.get("TASKS", "16")))
events = spark.readStream.schema(SCHEMA).option("maxFilesPerTrigger", 64).parquet(EVENTS)
verdicts = detect(events, key="host", value="load", time="ts", id="uid", buckets=64)
writer = verdicts.writeStream.format("parquet").option("checkpointLocation", STATE).outputMode("append")
writer.trigger(processingTime="5 seconds").start(VERDICTS).awaitTermination()
