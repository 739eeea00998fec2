"""Whatever imports Ray first, it listens on loopback alone and tells nobody."""

import os

from causalguard.guard.corpora.ray_pool import ENVIRONMENT

os.environ.update(ENVIRONMENT)
