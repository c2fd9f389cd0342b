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
#   peers      CapeFormer's and GraphCape's heads in the recipe's frame, a training for
#              each of PEER_LRS; the matcher; speed of all beside ours (`recipe` trains
#              ours)
#   peers_real  the same as cape_lite0.py, tested on photographs (data/realcape); ours
#              and the untrained matcher included
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
PEERS=${PEERS:-capeformer graphcape}
PEER_LRS=${PEER_LRS:-5e-4 1e-4}  # ours was tuned at the first
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

part_peers() {
    test_as_is matcher_generated configs/matching_lite0.py '' \
        "test_dataloader.dataset.data_root=$DATA" \
        test_dataloader.dataset.ann_file=annotations/synthetic_split1_test.json \
        test_dataloader.sampler.{num_queries=15,episodes_per_category=20,draw_seed=1}
    for name in $PEERS; do
        local config=configs/comparison/synthetic_$name.py
        for lr in $PEER_LRS; do
            local run=${name}_${lr}_$SEED
            train "$run" "$config" "$WORKERS" "optim_wrapper.optimizer.lr=$lr"
            score "$run" "$config" "$OUT/$run/epoch_$EPOCHS.pth"
        done
        for queries in 1 15; do
            benchmark $SYNTHETIC --compare "$config" --mode predict $AMP \
                --steps "$STEPS" --num-queries "$queries" \
                --out "$OUT/speed_${name}_$queries.json"
        done
        benchmark $SYNTHETIC --compare "$config" --mode train $AMP --steps "$STEPS" \
            --batch-size "$BATCH" --out "$OUT/speed_${name}_train.json"
    done
}

train_as_is() { # NAME CONFIG OPTION ...
    "$PYTHON" tools/train.py "$2" --work-dir "$OUT/$1" --cfg-options \
        "randomness.seed=$SEED" ${AMP:+train_cfg.precision=bfloat16} "${@:3}" > "$OUT/$1.log" 2>&1
}

test_as_is() { # NAME CONFIG CHECKPOINT OPTION ...
    "$PYTHON" tools/test.py "$2" ${3:+"$3"} --work-dir "$OUT/$1_test" \
        --out "$OUT/$1.json" --cfg-options "randomness.seed=$SEED" "${@:4}" \
        > "$OUT/$1_test.log" 2>&1
}

part_peers_real() {
    test_as_is matcher_real configs/matching_lite0.py ''
    local run=ours_real_$SEED
    train_as_is "$run" configs/cape_lite0.py
    for mode in ar parallel; do
        test_as_is "${run}_$mode" configs/cape_lite0.py "$OUT/$run/epoch_3.pth" \
            "model.test_cfg.mode=$mode"
    done
    for name in $PEERS; do
        local config=configs/comparison/lite0_$name.py
        for lr in $PEER_LRS; do
            run=${name}_real_${lr}_$SEED
            train_as_is "$run" "$config" "optim_wrapper.optimizer.lr=$lr"
            test_as_is "$run" "$config" "$OUT/$run/epoch_3.pth"
        done
    done
}

[ $# -gt 0 ] || { sed -n '2,20s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 2; }
for part in "$@"; do
    declare -F "part_$part" > /dev/null || { echo "no part $part" >&2; exit 2; }
    "part_$part"
done
