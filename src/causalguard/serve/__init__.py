"""A certified guard behind HTTP: ``guard-serve``.  Needs ``pip install 'causalguard[serve]'``."""
