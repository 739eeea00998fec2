"""Tests of independence: exact where Z is discrete or paired, asymptotic where it must be."""
