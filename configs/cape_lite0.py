"""The model in the box: layout learned on a frozen EfficientNet-Lite0.

Trained on generated objects and on those photographs whose terms allow to give a
derived model away (docs/model_card.md).

Data:   python tools/dataset_tools/make_synthetic.py --out data/synthetic_tiny
        and data/realcape, see _base_/realcape_episodes.py
Run:    python tools/train.py configs/cape_lite0.py --amp
Result: not yet run.
"""

_base_ = [
    './_base_/default_runtime.py',
    './_base_/realcape_episodes.py',
    './_base_/schedule_layout.py',
    './_base_/matching_lite0.py',
]

photographs = dict(
    _base_.photographs,  # noqa: F821
    # horse_body, mouse_mirror_top and estop_button set the confidence afterwards
    categories=['cattle_body', 'mouse_mirror_bottom', 'car_wheel', 'drawn_character'],
)
train_dataloader = dict(
    batch_size=32,
    sampler=dict(episodes_per_epoch=4000),
    dataset=dict(sources=[_base_.generated, photographs]),  # noqa: F821
)
train_cfg = dict(max_epochs=4)
