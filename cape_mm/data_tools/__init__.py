"""Looking after data sets: the check before training, and MP-100's preparation."""
