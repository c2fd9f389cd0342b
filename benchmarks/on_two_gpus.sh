#!/usr/bin/env bash
# What docs/results.md says of two GPUs, measured again, part by part.
#
#   DATA=data/synthetic OUT=measured bash benchmarks/on_two_gpus.sh [PART ...]
#   QUICK=1 DATA=data/synthetic_tiny ...    a small model, for a trial on two CPUs
#
#   data       writes the generated data set to DATA, if it is not there
#   train      three trainings in a row, validated after every epoch: exit codes,
#              episodes/s, accuracy; the first is the long one, with 2 x 32 episodes a
#              step, the others have 2 x 64
#   alone      the long one again in one process, with 1 x 64
#   gradients  2 x 2 against 1 x 4 episodes in float32; all-reduces while accumulating
#   test       the long trainings' models: that of two processes tested by two and by
#              one, that of one process tested by two
#   kill       SIGKILL for rank 1 of a training; --resume after it
#   refusals   one process too many; a rank with other data
#
# All parts in this order without arguments. What was found goes to OUT/summary.txt as
# it is found, what was printed to OUT/*.log; a part that fails does not stop the others.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PYTHON=${PYTHON:-python}
DATA=${DATA:-data/synthetic}
OUT=${OUT:-measured}
WORKERS=${WORKERS:-14}
CONFIG=configs/cape_synthetic.py SIZE=standard AMP=--amp
EPOCHS=5 STEPS=150 SHORT_STEPS=60 BATCH=64 SMALL=()
if [ -n "${QUICK:-}" ]; then
    CONFIG=configs/cape_tiny_scratch.py SIZE=tiny AMP='' EPOCHS=2 STEPS=12 SHORT_STEPS=6 BATCH=8
    WORKERS=1
    SMALL=(model.embed_dims=16 model.neck.out_channels=16
        model.backbone.stem_channels=8 model.backbone.base_channels=8
        'model.neck.in_channels=[16,32,64]' model.backbone.norm_cfg.num_groups=4)
fi
mkdir -p "$OUT"

say() {
    echo "$(date +%T) $*" | tee -a "$OUT/summary.txt"
}

options() { # PROCESSES EPISODES-PER-PROCESS STEPS EPOCHS
    CFG=(--cfg-options "data_root=$DATA" "${SMALL[@]}"
        "train_dataloader.batch_size=$2" "train_dataloader.num_workers=$WORKERS"
        "train_dataloader.sampler.episodes_per_epoch=$(($1 * $2 * $3))"
        optim_wrapper.accumulative_counts=1 "train_cfg.max_epochs=$4"
        param_scheduler.0.end=50 val_dataloader.sampler.episodes_per_category=4
        default_hooks.logger.interval=5 log_processor.window_size=5
        default_hooks.checkpoint.max_keep_ckpts=9)
}

train() { # NAME PROCESSES EPISODES-PER-PROCESS STEPS EPOCHS [ARGUMENT]
    local name=$1 code=0 start=$SECONDS
    [ -n "${6:-}" ] || rm -rf "${OUT:?}/$name" "$OUT/$name.log"
    options "${@:2:4}"
    local arguments=(--work-dir "$OUT/$name" $AMP ${6:-} "${CFG[@]}")
    if [ "$2" = 1 ]; then
        "$PYTHON" tools/train.py $CONFIG "${arguments[@]}" >> "$OUT/$name.log" 2>&1
    else
        bash tools/dist_train.sh $CONFIG "$2" "${arguments[@]}" \
            >> "$OUT/$name.log" 2>&1
    fi || code=$?
    say "$name: $2 x $3 episodes a step, exit code $code, $((SECONDS - start)) s," \
        "$(measured "$name" $(($2 * $3)))"
}

measured() { # NAME EPISODES-PER-STEP
    "$PYTHON" - "$OUT/$1" "$2" << 'END'
import json, pathlib, statistics, sys

files = sorted(pathlib.Path(sys.argv[1]).glob('*/vis_data/scalars.json'))
rows = [json.loads(line) for path in files for line in path.open()]
steps = [row for row in rows if 'time' in row and 'loss' in row]
times = [row['time'] for row in steps if row['epoch'] > 1]
waits = [row['data_time'] for row in steps if row['epoch'] > 1]
if times:
    seconds = statistics.median(times)
    share = statistics.median(waits) / seconds
    print(f'{int(sys.argv[2]) / seconds:,.0f} episodes/s, {share:.0%} waiting for data,')
best = [row for row in rows if 'PCK@0.2' in str(row.keys())][-1:]
print(*(f'{key} {value:.4f}' for row in best for key, value in row.items()
        if key in ('PCK@0.2', 'PCK@0.05')))
END
}

part_data() {
    [ -d "$DATA/annotations" ] && return
    "$PYTHON" tools/dataset_tools/make_synthetic.py --out "$DATA" --size $SIZE \
        > "$OUT/data.log" 2>&1
    say "data: exit code $?"
}

part_train() {
    train two 2 $((BATCH / 2)) $STEPS $EPOCHS
    train two_again 2 $BATCH $SHORT_STEPS 2
    train two_third 2 $BATCH $SHORT_STEPS 2
}

part_alone() {
    train one 1 $BATCH $STEPS $EPOCHS
}

part_gradients() {
    local small=()
    [ -n "${QUICK:-}" ] && small=(--input-size 64 --cfg-options "${SMALL[@]}")
    "$PYTHON" -m torch.distributed.run --standalone --local_addr=127.0.0.1 \
        --nproc_per_node=2 benchmarks/gradients.py $CONFIG "${small[@]}" \
        > "$OUT/gradients.log" 2>&1
    say "gradients: exit code $?"
    grep -E 'norm|relative|buckets|all-reduce' "$OUT/gradients.log" |
        tee -a "$OUT/summary.txt"
}

score() { # NAME PROCESSES TRAINING
    local options=(--work-dir "$OUT/$1" --out "$OUT/$1.json"
        --cfg-options "data_root=$DATA" "${SMALL[@]}")
    local checkpoint=$OUT/$3/epoch_$EPOCHS.pth
    if [ "$2" = 1 ]; then
        "$PYTHON" tools/test.py $CONFIG "$checkpoint" "${options[@]}"
    else
        bash tools/dist_test.sh $CONFIG "$checkpoint" "$2" "${options[@]}"
    fi > "$OUT/$1.log" 2>&1
    say "$1: exit code $?"
}

part_test() {
    score two_by_two 2 two
    score two_by_one 1 two
    score one_by_two 2 one
    "$PYTHON" - "$OUT" << 'END' 2>&1 | tee -a "$OUT/summary.txt"
import json, sys

def read(name):
    return json.load(open(f'{sys.argv[1]}/{name}.json'))

def show(name, metrics):
    shown = [f'{key} {metrics[key]:.4f}' for key in ('PCK@0.2', 'PCK@0.05')]
    print(f'  {name}:', *shown, f'of {metrics["num_pairs"]} pairs')

two, one = read('two_by_two'), read('two_by_one')
names = [key for key in one if isinstance(one[key], (int, float))]
apart = max(names, key=lambda key: abs(one[key] - two[key]))
print(f'  {len(names)} numbers, farthest apart {apart}: {one[apart]} and {two[apart]}')
show('trained by two', two)
show('trained by one', read('one_by_two'))
END
}

rank_of() { # LAUNCHER RANK: its process
    for status in /proc/[0-9]*/status; do
        local folder=${status%/status}
        grep -qs "^PPid:[[:space:]]*$1\$" "$status" &&
            tr '\0' '\n' < "$folder/environ" 2> /dev/null | grep -qx "RANK=$2" &&
            echo "${folder#/proc/}"
    done
}

left_over() { # how many processes still have the work directory in their command
    grep -lsa '/[k]illed' /proc/[0-9]*/cmdline | wc -l
}

part_kill() {
    options 2 $((BATCH / 2)) $SHORT_STEPS 4
    rm -rf "${OUT:?}/killed"
    bash tools/dist_train.sh $CONFIG 2 --work-dir "$OUT/killed" $AMP "${CFG[@]}" \
        > "$OUT/killed.log" 2>&1 &
    local launcher=$! code=0
    for _ in $(seq 240); do
        [ -f "$OUT/killed/epoch_1.pth" ] || ! kill -0 $launcher 2> /dev/null && break
        sleep 0.5
    done
    sleep 2
    kill -9 $(rank_of $launcher 1)
    local start=$SECONDS
    wait $launcher || code=$?
    say "kill: the job ended $((SECONDS - start)) s after its rank 1, exit code $code;"
    grep -E -m 3 -A 6 'Root Cause|^error' "$OUT/killed.log" | tee -a "$OUT/summary.txt"
    sleep 8
    say "kill: $(left_over) processes are left over 8 s later"
    train killed 2 $((BATCH / 2)) $SHORT_STEPS 4 --resume
    grep -E 'resumed epoch|resume:' "$OUT/killed.log" | tail -2 |
        tee -a "$OUT/summary.txt"
}

part_refusals() {
    options 2 2 2 1
    if command -v nvidia-smi > /dev/null; then
        CUDA_VISIBLE_DEVICES=0 bash tools/dist_train.sh $CONFIG 2 \
            --work-dir "$OUT/refused" "${CFG[@]}" > "$OUT/too_many.log" 2>&1
        say "one GPU, two processes: exit code $?; $(grep '^error' "$OUT/too_many.log")"
    fi
    local folder=$OUT/other_data
    mkdir -p "$folder"
    ln -sfn "$(realpath "$DATA")" "$folder/rank0"
    cp -rL "$DATA" "$folder/rank1"
    find "$folder/rank1/images" -type f | head -3 | xargs rm
    cat > "$folder/config.py" << END
_base_ = '$PWD/$CONFIG'
data_root = '$(realpath "$folder")/rank{{\$RANK:0}}'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
END
    CFG[1]="train_dataloader.persistent_workers=True"
    bash tools/dist_train.sh "$folder/config.py" 2 --work-dir "$OUT/refused" \
        "${CFG[@]}" > "$OUT/other_data.log" 2>&1
    say "files missing on rank 1: exit code $?; $(grep '^error' "$OUT/other_data.log")"
    rm -r "$folder"
}

[ $# -gt 0 ] || set -- data train alone gradients test kill refusals
for part in "$@"; do
    declare -F "part_$part" > /dev/null || { echo "no part $part" >&2; exit 2; }
    "part_$part"
done
