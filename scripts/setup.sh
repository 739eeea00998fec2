#!/usr/bin/env bash
# Set up .venv with everything, and the base model.  Safe to repeat; prints what it does.
# --system: also the programs that some tests call (openssl, jq), through apt-get when missing.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" = "--system" ]; then
  missing=""
  for program in openssl jq; do command -v "$program" >/dev/null || missing="$missing $program"; done
  if [ -n "$missing" ] && command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    echo "setup: installing$missing with apt-get"
    (apt-get update -qq && apt-get install -y -qq $missing) >/dev/null
  elif [ -n "$missing" ]; then
    echo "setup: not found:$missing (their tests will say so)"
  fi
  exit 0
fi

PYTHON="${PYTHON:-python3}"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "setup: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
pins=tests/fixtures/langchain
stamp=".venv/.stamp-$(cat pyproject.toml constraints.txt scripts/setup.sh $pins/*.txt | sha256sum | cut -c1-16)"
if [ ! -f "$stamp" ]; then
  echo "setup: virtual environment in .venv"
  [ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
  pip=".venv/bin/python -m pip --disable-pip-version-check install --quiet --no-input"
  echo "setup: torch (first and alone, so that the CPU build named in constraints.txt is taken)"
  $pip "$(grep '^torch==' constraints.txt)" 2> >(grep -v '^WARNING: Location' >&2)
  echo "setup: causalguard with its development extras"
  $pip -c constraints.txt -e '.[dev]' 2> >(grep -v '^WARNING: Location' >&2)
  for set in lowest newest; do
    echo "setup: the $set supported LangChain, for its tests"
    rm -rf ".venv/langchain-$set"
    $pip --no-deps --target ".venv/langchain-$set" -r "$pins/$set.txt" \
      2> >(grep -v '^WARNING: Location' >&2)
  done
  rm -f .venv/.stamp-*
  touch "$stamp"
else
  echo "setup: .venv is up to date"
fi
.venv/bin/python -m causalguard.cli base install
