#!/usr/bin/env bash
# What slurm_train.sh and slurm_test.sh share: a tool under Slurm, one process per GPU.
# usage: tools/slurm_run.sh PARTITION JOB_NAME TOOL [arguments of the tool]
#
# variables:
#   GPUS           processes in all (8)
#   GPUS_PER_NODE  processes per machine (8, or GPUS if fewer)
#   GRES           what a machine is asked for (gpu:<GPUS_PER_NODE>); GRES=none asks for
#                  no GPU: the processes then run on the CPU
#   CPUS_PER_TASK  CPU cores per process (8)
#   MASTER_PORT    port on the first machine (drawn at random: two jobs may share it)
#   SRUN_ARGS      further arguments of srun, e.g. "--time=24:00:00 --exclusive"
#   PYTHON         interpreter (python)
set -euo pipefail

PARTITION=$1
JOB_NAME=$2
TOOL=$3
shift 3

GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}
GRES=${GRES:-gpu:$GPUS_PER_NODE}
if [ "$GRES" = none ]; then
    GRES_ARGS=()
else
    GRES_ARGS=(--gres="$GRES")
fi
export MASTER_PORT=${MASTER_PORT:-$((20000 + RANDOM % 20000))}

# A task that dies takes the job down: without --kill-on-bad-exit the others would wait.
# shellcheck disable=SC2086  # SRUN_ARGS are several words
exec srun -p "$PARTITION" --job-name="$JOB_NAME" \
    ${GRES_ARGS[@]+"${GRES_ARGS[@]}"} \
    --ntasks="$GPUS" --ntasks-per-node="$GPUS_PER_NODE" \
    --cpus-per-task="${CPUS_PER_TASK:-8}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
    "${PYTHON:-python}" -u "$(dirname "$0")/$TOOL" "$@" --launcher slurm
