#!/usr/bin/env bash
# Train on several GPUs (or, without a GPU, on several CPU processes).
# tools/dist_run.sh lists the variables, such as PORT and those of several machines.
# usage: tools/dist_train.sh CONFIG GPUS [arguments of tools/train.py]
set -euo pipefail

if [ "$#" -lt 2 ]; then
    echo "usage: $0 CONFIG GPUS [arguments of tools/train.py]" >&2
    exit 2
fi
exec bash "$(dirname "$0")/dist_run.sh" "$2" train.py "$1" "${@:3}"
