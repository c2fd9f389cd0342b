#!/usr/bin/env bash
# What docs/results.md says of one GPU, measured again, part by part.
#
#   DATA=data/synthetic OUT=measured bash benchmarks/on_a_gpu.sh PART ...
#
#   data       writes the `standard` generated data set to DATA, if it is not there
#   loader     training steps of 64 episodes through the real loader, with CUDA graphs
#              and without, A B A B
#   memory     batch 2, 4 x batch 2 and batch 8, at 256 and 512 pixels
#   decode     parallel, ar, and the cache against recomputing, 64 and 512 queries
#   recipe     training and test, `ar` and `parallel`, seed SEED (0)
#   shots      one training with 1 to 5 supports per episode, tests with 1, 3 and 5
#   ablations  trainings of ABLATIONS side by side, their tests
#
# Every part leaves JSON or logs in OUT.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

PYTHON=${PYTHON:-python}
DATA=${DATA:-data/synthetic}
OUT=${OUT:-measured}
SEED=${SEED:-0}
WORKERS=${WORKERS:-15}
ABLATIONS=${ABLATIONS:-teacher_forced_ar no_support_image no_graph_bias no_prefix_mix \
random_order parallel_only two_encoders no_episode_color}
SYNTHETIC=configs/cape_synthetic.py
BATCH=64 STEPS=20 PAIRS=3 EPOCHS=7 EPISODES=12800 QUERIES='64 512' KEYPOINTS='17 68'
SIZES='256 512' SIZE=standard
AMP=--amp
mkdir -p "$OUT"

benchmark() {
    "$PYTHON" tools/analysis_tools/benchmark.py "$@"
}

# Configs under configs/ablations differ from cape_synthetic.py as their cards say.
ROOT=("data_root=$DATA" "train_dataloader.dataset.data_root=$DATA"
    "val_dataloader.dataset.data_root=$DATA" "test_dataloader.dataset.data_root=$DATA")
RECIPE=("train_dataloader.batch_size=$BATCH" optim_wrapper.accumulative_counts=1
    "train_dataloader.sampler.episodes_per_epoch=$EPISODES" param_scheduler.0.end=100
    "train_cfg.max_epochs=$EPOCHS" "train_cfg.val_interval=$EPOCHS"
    val_dataloader.sampler.episodes_per_category=2 "randomness.seed=$SEED"
    "default_hooks.checkpoint.interval=$EPOCHS")
EAGER=(model.train_cfg.cuda_graph=False model.data_preprocessor.keypoint_multiple=1)

train() { # NAME CONFIG WORKERS OPTION ...
    "$PYTHON" tools/train.py "$2" $AMP --work-dir "$OUT/$1" --cfg-options \
        "${ROOT[@]}" "${RECIPE[@]}" "train_dataloader.num_workers=$3" "${@:4}" \
        > "$OUT/$1.log" 2>&1
}

score() { # NAME CONFIG CHECKPOINT OPTION ...
    "$PYTHON" tools/test.py "$2" "$3" --work-dir "$OUT/$1_test" \
        --out "$OUT/$1.json" --cfg-options "${ROOT[@]}" "${@:4}" \
        > "$OUT/$1_test.log" 2>&1
}

part_data() {
    [ -d "$DATA/annotations" ] ||
        "$PYTHON" tools/dataset_tools/make_synthetic.py --out "$DATA" --size "$SIZE"
}

part_loader() {
    local options=("${ROOT[@]}" "${RECIPE[@]}" "train_dataloader.num_workers=$WORKERS")
    for round in $(seq "$PAIRS"); do
        benchmark $SYNTHETIC --mode train --loader $AMP --rounds 1 --steps $((3 * STEPS)) \
            --out "$OUT/loader_graph_$round.json" --cfg-options "${options[@]}"
        benchmark $SYNTHETIC --mode train --loader $AMP --rounds 1 --steps $((3 * STEPS)) \
            --out "$OUT/loader_eager_$round.json" \
            --cfg-options "${options[@]}" "${EAGER[@]}"
    done
}

part_memory() {
    for size in $SIZES; do
        for way in '2 1' '2 4' '8 1'; do
            read -r batch count <<< "$way"
            benchmark configs/cape_mp100.py --mode train $AMP --input-size "$size" \
                --batch-size "$batch" --steps 1 --warmup 8 \
                --out "$OUT/memory_${size}_${count}x${batch}.json" --cfg-options \
                model.backbone.init_cfg=None "optim_wrapper.accumulative_counts=$count"
        done
    done
}

part_decode() {
    for queries in $QUERIES; do
        for script in decoding_modes key_value_cache; do
            "$PYTHON" benchmarks/$script.py $SYNTHETIC $AMP --steps "$((STEPS / 4 + 1))" \
                --num-keypoints $KEYPOINTS --num-queries "$queries" \
                | tee "$OUT/${script}_$queries.log"
        done
    done
}

part_recipe() {
    train "recipe_$SEED" $SYNTHETIC "$WORKERS"
    local checkpoint=$OUT/recipe_$SEED/epoch_$EPOCHS.pth
    score "recipe_${SEED}_ar" $SYNTHETIC "$checkpoint"
    score "recipe_${SEED}_parallel" $SYNTHETIC "$checkpoint" \
        model.test_cfg.mode=parallel
}

part_shots() {
    train shots $SYNTHETIC "$WORKERS" 'train_dataloader.sampler.num_shots=(1,5)'
    for shots in 1 3 5; do
        score "shots_$shots" $SYNTHETIC "$OUT/shots/epoch_$EPOCHS.pth" \
            "test_dataloader.sampler.num_shots=$shots"
    done
}

part_ablations() {
    local names=($ABLATIONS)
    local share=$((WORKERS / ${#names[@]} + 1))
    for name in "${names[@]}"; do
        train "$name" "configs/ablations/$name.py" "$share" &
    done
    wait
    for name in "${names[@]}"; do
        score "$name" "configs/ablations/$name.py" "$OUT/$name/epoch_$EPOCHS.pth"
    done
}

[ $# -gt 0 ] || { sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
for part in "$@"; do
    declare -F "part_$part" > /dev/null || { echo "no part $part" >&2; exit 2; }
    "part_$part"
done
