"""All benchmarks, one after the other, each in a process of its own: ``python -m bench``."""

import subprocess
import sys

# Speed first, on a machine that is still cool and idle.
BENCHMARKS = ("speed", "peers", "first_call", "overhead", "memory", "scaling", "layers", "accuracy", "prediction")

if __name__ == "__main__":
    for name in BENCHMARKS:
        print(f"\n{name}\n{'─' * len(name)}", flush=True)
        subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True)
