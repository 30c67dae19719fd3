"""The Kubeflow pipeline: extraction, one training for each data scope, the most frequent error sets."""
