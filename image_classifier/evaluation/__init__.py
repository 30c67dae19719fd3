"""Figures computed from predictions: metrics, their intervals, and the comparison of runs."""
