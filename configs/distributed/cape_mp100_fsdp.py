"""CAPE on MP-100 split 1 with weights sharded over the GPUs (FSDP).

For backbones whose weights, gradients and optimizer state do not fit on one GPU:
put the five entries below into a variant of one of configs/backbones. With a ResNet-50
plain DDP is faster. Checkpoints are plain ones: test them with the config without FSDP.
Run:    tools/dist_train.sh configs/distributed/cape_mp100_fsdp.py 8
Test:   python tools/test.py configs/cape_mp100.py CHECKPOINT
Result: not yet run on GPUs; on two CPU processes the tests train, validate and resume.
"""

_base_ = '../cape_mp100.py'

custom_imports = dict(imports=['cape_mm', 'cape_mm.engine.sharded'])
runner_type = 'ShardedRunner'
strategy = dict(
    type='ShardedStrategy',
    model_wrapper=dict(
        type='MMFullyShardedDataParallel',
        # a module of more weights than this is a shard of its own, gathered when used
        auto_wrap_policy=dict(
            type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy',
            min_num_params=5_000_000,
        ),
    ),
)
optim_wrapper = dict(type='ShardedOptimWrapper')
val_cfg = dict(type='UnshardedValLoop')
