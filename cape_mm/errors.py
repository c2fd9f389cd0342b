"""Errors that a user can cause, one class per kind.

Everything that a wrong path, file, config or image provokes derives from
:class:`CapeError`, so that ``tools/*.py`` can print the message alone and leave the
traceback to real defects. Each class also is the built-in error that the standard
library would raise, so ``except FileNotFoundError`` works as expected.
"""


class CapeError(Exception):
    """Base class of all errors that cape_mm raises on purpose."""


class ConfigError(CapeError, ValueError):
    """A config names an unknown key or an impossible combination of values."""


class MissingDataError(CapeError, FileNotFoundError):
    """A data root, annotation file or image is not where it should be."""


class AnnotationFormatError(CapeError, ValueError):
    """An annotation file is not valid COCO-keypoint JSON of the MP-100 kind."""


class ImpossibleEpisodeError(CapeError, ValueError):
    """A category has too few instances for the shots and queries asked for."""


class CheckpointError(CapeError, ValueError):
    """A checkpoint is missing, unreadable or of another architecture."""


class UnsafeCheckpointError(CheckpointError):
    """A checkpoint is none, or holds what could run code."""


class CheckpointWriteError(CapeError, OSError):
    """A checkpoint could not be written; the ones before are as they were."""


class WorkDirInUseError(CapeError, RuntimeError):
    """Another run trains into the same work directory."""


class InstanceLoadError(CapeError):
    """One instance could not be loaded: the base of what only shows at load time.

    Training redraws the instance within its category; evaluation drops and counts the
    pair. ``reason`` is a short key for the count, e.g. ``'image not found'``.
    """

    reason = 'unknown'


class ImageNotFoundError(InstanceLoadError, FileNotFoundError):
    """The image file of an instance does not exist."""

    reason = 'image not found'


class ImageReadError(InstanceLoadError, OSError):
    """The system refuses to read an image file: permissions, a folder, a lost disk."""

    reason = 'image can not be read'


class ImageDecodeError(InstanceLoadError, ValueError):
    """The image file of an instance exists but does not decode."""

    reason = 'image does not decode'


class EmptyAnnotationError(InstanceLoadError, ValueError):
    """No keypoint of an instance is visible after cropping and augmentation."""

    reason = 'no visible keypoint in the crop'


class NonFinitePredictionError(CapeError, ArithmeticError):
    """A model predicted NaN or infinite coordinates."""


class TrainingDivergedError(CapeError, ArithmeticError):
    """The loss became NaN or infinite."""
