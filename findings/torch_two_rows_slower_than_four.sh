#!/usr/bin/env bash
# What: on an AMD CPU torch's fp32 product of 2 rows with a large matrix of weights (x w', a model's head) takes longer
# than that of 4 rows, and more than twice as long as that of 1 row; 16 rows take no longer. It takes as long on two
# threads as on one. 1 row is a product with a vector, which reads the weights as they stand; from 2 rows on MKL's
# matrix product takes over, which at 15 rows was seen to spend a third of its time copying weights. So two answers that
# are generated side by side can take longer than one after another. No message says so. A loop that reads the
# weights once takes about as long for 2 rows as for 1.
# Seen with: torch 2.11.0 (PyPI, manylinux x86-64), w [49152, 576], two cores of an AMD EPYC (Zen 5), milliseconds:
#   two threads: 1 row 11.3, 2 rows 27.2, 4 rows 19.4, 16 rows 22.8; one thread: 11.5, 27.2, 19.4, 27.2
# Way out: a kernel of one's own for few rows; or rows of zeros beside them, until there are 4.
# Needs: python3 with pip, an AMD CPU with AVX-512 (else it says so and ends with 0), nothing beside it.
# Downloads some 3 GB into a temporary folder.
set -euo pipefail

if ! grep -q AuthenticAMD /proc/cpuinfo || ! grep -q ' avx512f' /proc/cpuinfo; then
  printf 'not tried: needs an AMD CPU with AVX-512\n'
  exit 0
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.3.5
cat >"$work/rows.py" <<'PY'
import statistics
import sys
import time

import torch

ROWS = (1, 2, 4, 16)
torch.manual_seed(0)
weights = torch.randn(49152, 576)
inputs = {rows: torch.randn(rows, 576) for rows in ROWS}
seconds = {rows: [] for rows in ROWS}
for _ in range(25):  # in turn, so that a slow moment meets all
    for rows in ROWS:
        begin = time.perf_counter()
        torch.nn.functional.linear(inputs[rows], weights)
        seconds[rows].append(time.perf_counter() - begin)
medians = {rows: statistics.median(times) for rows, times in seconds.items()}
print(f"torch {torch.__version__}, {torch.get_num_threads()} threads:",
      ", ".join(f"{rows} rows {1000 * median:.1f} ms" for rows, median in medians.items()))
if not medians[2] > 1.15 * medians[4] or not medians[2] > 1.6 * medians[1]:
    sys.exit("changed: expected 2 rows to take 1.15 times as long as 4, and 1.6 times as long as 1")
PY
"$work/venv/bin/python" "$work/rows.py"
