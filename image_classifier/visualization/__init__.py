"""Pictures of data, training and results: arrays and dicts in, figures out."""
