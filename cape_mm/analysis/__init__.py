"""What a result says: reports, comparisons, robustness, folds and speed."""
