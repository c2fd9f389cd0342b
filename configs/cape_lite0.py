"""The model in the box: layout learned on a frozen EfficientNet-Lite0.

Trained on generated objects and on those photographs whose terms allow to give a
derived model away (docs/model_card.md): the head alone learns, 8,458 numbers, nothing
of them about appearance.

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic_tiny
        and data/realcape, see _base_/realcape_episodes.py
Run:    python tools/train.py configs/cape_lite0.py --amp
Cost:   224 updates of 32 episodes; 2 min 40 s beside three other trainings on one H200.
Result: PCK@0.2 69.8, PCK@0.05 48.5 on seven novel categories (the untrained matcher:
        61.6, 37.3; copying: 43.4, 20.1), seed 0 (docs/results.md).
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/realcape_episodes.py',
    './_base_/schedule_layout.py',
    './_base_/matching_lite0.py',
]

generated = dict(
    name='generated',
    weight=0.4,
    data_root='data/synthetic_tiny',
    ann_file='annotations/synthetic_split1_train.json',
)
photographs = dict(
    name='photographs',
    weight=0.6,
    data_root='data/realcape',
    ann_file='annotations/realcape_train.json',
    # horse_body, mouse_mirror_top and estop_button are left for the confidence
    categories=['cattle_body', 'mouse_mirror_bottom', 'car_wheel', 'drawn_character'],
)
train_dataloader = dict(
    batch_size=32,
    sampler=dict(episodes_per_epoch=1800),
    dataset=dict(type='MultiSourceEpisodeDataset', sources=[generated, photographs]),
)
train_cfg = dict(max_epochs=4)
