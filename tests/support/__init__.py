"""Shared by the tests: tiny models built on the spot, and fakes of our own protocols."""
