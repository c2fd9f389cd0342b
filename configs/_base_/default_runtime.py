"""What every run shares: hooks, logging, checkpoints, environment."""

custom_imports = dict(imports=['cape_mm'], allow_failed_imports=False)
default_scope = 'mmpose'

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='AtomicCheckpointHook',
        interval=1,
        max_keep_ckpts=2,
        save_best='PCK_macro@0.2',  # every category weighs the same
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    missed_validation=dict(type='MissedValidationHook'),
    validation_summary=dict(type='ValidationSummaryHook'),
    # enabled=True: the same few episodes as pictures at every validation, in
    # vis_data/vis_image and TensorBoard, some 0.3 MB each in either
    pictures=dict(type='EpisodePicturesHook', num_episodes=8, enabled=False),
    # patience=10: stop after so many validations without improvement; None: never
    early_stopping=dict(
        type='ResumableEarlyStoppingHook',
        monitor='PCK_macro@0.2',
        patience=None,
        min_delta=0.002,  # 0.2 points
    ),
)
custom_hooks = [
    dict(type='AccumulationWindowHook'),
    dict(type='IterationSeedHook'),
    dict(type='FiniteLossHook', max_bad_steps=10, max_consecutive=5),
    dict(type='RedrawCountHook'),
    dict(type='TrainingBannerHook'),
    dict(type='ResourceHook'),
]

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # seconds that a process waits for the others before the run is given up; one that
    # dies ends the run at once
    dist_cfg=dict(backend='nccl', timeout=1800),
)
# Others, in a config of your own, with the package that they name installed:
# vis_backends=[dict(type='LocalVisBackend'),
#     dict(type='WandbVisBackend', init_kwargs=dict(project='cape'))]
# or dict(type='MLflowVisBackend', exp_name='cape'), in visualizer=dict(...)
# TensorBoard is left out, with a message, where it is not installed
vis_backends = [
    dict(type='LocalVisBackend'),
    dict(type='TensorboardVisBackend'),
]
visualizer = dict(
    type='PoseLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
randomness = dict(seed=0)

train_cfg = dict(type='EpisodeTrainLoop', max_epochs=100, val_interval=1)
# every image passes the backbone once, all its episodes share what it gave
val_cfg = dict(type='EpisodeValLoop')
test_cfg = dict(type='EpisodeTestLoop')
