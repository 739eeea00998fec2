"""The report: its schema as frozen values, and its renderings."""
