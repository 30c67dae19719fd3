"""Labelled images in, a verified read-only store and batches out."""
