"""Six axes of evaluation: statistics on arrays and callables, no training, no generators."""
