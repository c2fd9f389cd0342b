#!/usr/bin/env bash
# What dist_train.sh and dist_test.sh share: a tool in several processes.
# usage: tools/dist_run.sh GPUS TOOL [arguments of the tool]
#
# GPUS is the number of processes per machine, one per GPU (or, without a GPU, on the CPU).
# variables:
#   NNODES, NODE_RANK, MASTER_ADDR, PORT   several machines: set them on each
#   PORT           one machine: a free port is taken unless it is set
#   PYTHON         interpreter (python)
set -euo pipefail

GPUS=$1
TOOL=$2
shift 2

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
    --nproc_per_node="$GPUS" "$(dirname "$0")/$TOOL" --launcher pytorch "$@"
