"""What ours stands beside: the same work by the bare libraries, with the same promises and nothing else."""
