#!/usr/bin/env bash
# What: on an x86 CPU without AVX-512, torch multiplies bf16 matrices by loops of its own. The caller who
# makes both operands fp32, multiplies and rounds the product gets the same values (but where a sum lies
# between two), 3 to 26 times as fast, conversions included. How much depends on what is transposed:
# the product of a layer (x w') takes 7 times as long as it need, that of its weights' gradient (g' x) 4
# times, that of its inputs' gradient (g w, where nothing is transposed) 26 times. So autocast to bf16
# makes training on such a CPU many times slower, and no message says so.
# Seen with: torch 2.11.0 (PyPI, manylinux x86-64), AMD EPYC without AVX-512, one thread:
#   x w' 6.6, g w 26.0, g' x 3.8 times; 0.01 % of the values differ, by one unit in the last place.
# Way out: fp32; or convert a block of the operands at a time, so that no second copy of the weights stays.
# Needs: python3 with pip, an x86 CPU with AVX2 and without AVX-512 (else it says so and ends with 0).
# Downloads some 3 GB into a temporary folder.
set -euo pipefail

if ! grep -q ' avx2' /proc/cpuinfo || grep -q ' avx512bw' /proc/cpuinfo; then
  printf 'not tried: needs an x86 CPU with AVX2 and without AVX-512\n'
  exit 0
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.11.0 numpy==2.3.5
cat >"$work/products.py" <<'PY'
import statistics
import sys
import time

import torch


def median_ratio(one, other, rounds=7):
    seconds = ([], [])
    for _ in range(rounds):
        for kept, product in zip(seconds, (one, other)):
            begin = time.perf_counter()
            product()
            kept.append(time.perf_counter() - begin)
    return statistics.median(seconds[0]) / statistics.median(seconds[1])


torch.set_num_threads(1)
torch.manual_seed(0)
x, w, g = (torch.randn(*shape).bfloat16() for shape in ((512, 576), (1536, 576), (512, 1536)))
ratios = {}
for name, (a, b) in {"x w'": (x, w.t()), "g w": (g, w), "g' x": (g.t(), x)}.items():
    def own(a=a, b=b):
        return a @ b

    def converted(a=a, b=b):
        return (a.float() @ b.float()).bfloat16()
    differ = (own() != converted()).float().mean().item()
    ratios[name] = median_ratio(own, converted)
    print(f"{name}: {ratios[name]:.1f} times, {100 * differ:.3f} % of the values differ")
    if differ > 1e-3:
        sys.exit(f"changed: expected the same values, found {100 * differ:.2f} % that differ")
print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}")
if min(ratios.values()) < 1.5 or ratios["g w"] < 2 * ratios["g' x"]:
    sys.exit("changed: expected 1.5 times at least, and the product without a transpose to be the slowest")
PY
"$work/venv/bin/python" "$work/products.py"
