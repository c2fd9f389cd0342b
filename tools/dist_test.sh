#!/usr/bin/env bash
# Test on several GPUs (or, without a GPU, on several CPU processes).
# usage: tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of tools/test.py]
# several machines: set NNODES, NODE_RANK, MASTER_ADDR, PORT on each of them
# one machine: a free port is taken unless PORT is set
# GPUS: processes per machine; PYTHON: the interpreter (python)
set -euo pipefail

if [ "$#" -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT GPUS [arguments of tools/test.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
GPUS=$3
shift 3

if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
    MEET=(--standalone --local_addr=127.0.0.1)
else
    MEET=(
        --nnodes="${NNODES:-1}"
        --node_rank="${NODE_RANK:-0}"
        --master_addr="${MASTER_ADDR:-127.0.0.1}"
        --master_port="${PORT:-29500}"
    )
fi

exec "${PYTHON:-python}" -m torch.distributed.run "${MEET[@]}" \
    --nproc_per_node="$GPUS" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
