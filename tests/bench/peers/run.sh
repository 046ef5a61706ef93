#!/bin/sh
# Measures the house beside its peers: ./tests/bench/peers/run.sh [--runs N] [--seconds S] [NAME ...]
# Peers are installed from PyPI into an environment that is thrown away afterwards; PEERS=DIR keeps it in DIR.
set -eu
cd "$(dirname "$0")/../../.."
./dev setup
where=${PEERS:-}
if [ -z "$where" ]; then
  where=$(mktemp -d)
  trap 'rm -rf "$where"' EXIT
fi
if [ ! -x "$where/bin/python" ]; then
  .venv/bin/python -m venv "$where"
  "$where/bin/python" -m pip install --quiet --disable-pip-version-check -r tests/bench/peers/requirements.txt
fi
.venv/bin/python -m tests.bench.peers "$where/bin/python" "$@"
