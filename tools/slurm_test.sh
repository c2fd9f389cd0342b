#!/usr/bin/env bash
# Test under Slurm; tools/slurm_run.sh lists the variables, such as GPUS.
# usage: tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]
set -euo pipefail

if [ "$#" -lt 4 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]" >&2
    exit 2
fi
exec bash "$(dirname "$0")/slurm_run.sh" "$1" "$2" test.py "${@:3}"
