"""Exact bounds, threshold choice, ranking metrics and multiplicity: numpy and scipy only.

Everything counts independent clusters, never rows; an empty stratum is an error that names it.
"""
