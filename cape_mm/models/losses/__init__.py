"""Loss functions."""

from .keypoint_losses import coordinate_l1, heatmap_cross_entropy, mean_over_pairs

__all__ = ['coordinate_l1', 'heatmap_cross_entropy', 'mean_over_pairs']
