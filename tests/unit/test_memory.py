"""The controller's process takes little memory, and gives back what it no longer needs."""

import subprocess
import sys

_HEAPS_OF = """
import ctypes, sys, threading
from controller.local.memory import keep_small
if sys.argv[1] == "small":
    assert keep_small()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.fopen.restype, libc.fopen.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
libc.malloc_info.argtypes, libc.fclose.argtypes = [ctypes.c_int, ctypes.c_void_p], [ctypes.c_void_p]
together = threading.Barrier(12)
def take():
    together.wait()
    for _ in range(200):
        libc.malloc(1000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
out = libc.fopen(b"/dev/stdout", b"w")
libc.malloc_info(0, out)
libc.fclose(out)
"""


_FREED_IN_THE_MIDDLE = """
import sys, time
from pathlib import Path
from controller.local.memory import giving_back, keep_small
def resident_kib():
    return int(next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmRSS")).split()[1])
keep_small()
# Pages of small values with one that lives in each: free, and in the middle of the arena.
values = [bytes(1000) for _ in range(60_000)]
kept = values[::200]
del values
before = resident_kib()
with giving_back(0.01):
    for _ in range(1000):
        if resident_kib() < before - 30_000:
            break
        time.sleep(0.01)
print(before, resident_kib())
"""


def _heaps(how: str) -> int:
    done = subprocess.run([sys.executable, "-c", _HEAPS_OF, how], check=True, capture_output=True, text=True)
    return done.stdout.count("<heap nr=")


def test_a_dozen_threads_share_two_arenas_where_the_process_was_told_to_stay_small() -> None:
    assert _heaps("as-it-is") > 2
    assert 1 <= _heaps("small") <= 2


def test_what_only_some_work_needs_is_loaded_by_that_work_only() -> None:
    unwanted = {"alembic", "duckdb", "xlsxwriter", "ansible_runner", "openstack", "weasyprint"}
    code = f"import sys, controller.wiring; print(sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_free_pages_are_given_back_while_the_process_runs() -> None:
    done = subprocess.run([sys.executable, "-c", _FREED_IN_THE_MIDDLE], check=True, capture_output=True, text=True)
    before_kib, after_kib = map(int, done.stdout.split())
    assert after_kib < before_kib - 30_000
