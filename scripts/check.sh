#!/usr/bin/env bash
# Every check that is not a test.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
echo "check: ruff";          $bin/ruff check --quiet .; $bin/ruff format --quiet --check .
echo "check: mypy --strict"; $bin/mypy --no-error-summary
echo "check: import-linter"; $bin/lint-imports --no-logo 2>/dev/null || $bin/lint-imports
