"""Where the numbers of a training go, and how they are read back."""

from .tensorboard_backend import OptionalTensorboardVisBackend

__all__ = ['OptionalTensorboardVisBackend']
