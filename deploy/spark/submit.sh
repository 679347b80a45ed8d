#!/usr/bin/env bash
# The job on a standalone cluster. Every machine has the same Python with marigram[spark] in it, and Java 17.
#   MASTER=spark://head:7077 EVENTS=/shared/events VERDICTS=/shared/verdicts STATE=/shared/state deploy/spark/submit.sh
set -euo pipefail
python=$(command -v "${PYTHON:-python3}")
export PYSPARK_PYTHON="$python" PYSPARK_DRIVER_PYTHON="$python"
exec spark-submit \
    --master "$MASTER" \
    --name marigram \
    --conf spark.executor.cores=4 \
    --conf spark.executor.memory=4g \
    --conf spark.executor.memoryOverhead=4g \
    --conf spark.executorEnv.MARIGRAM_CACHE="${MARIGRAM_CACHE:-/var/cache/marigram}" \
    "$(dirname "$0")/job.py"
