"""usage: machine.py quiet [MINUTES] | kind | title: which machine figures are of, and whether it is quiet enough for them.

`quiet` exits with 1 and one sentence on standard error unless it is, or becomes so in that time; `kind` prints its widest instruction set,
`title` that for people, and the processor.
"""
import os
import platform
import re
import resource
import sys
import time

# Kinds of machines, the widest first: what /proc/cpuinfo has to list for each.
KINDS = {"avx512": {"avx512f", "avx512vl"}, "avx2": {"avx2", "fma"}, "sse2": {"sse2"}, "neon": {"asimd"}}
TITLES = {"avx512": "AVX-512", "avx2": "AVX2", "sse2": "SSE2", "neon": "NEON"}
SHOWN = "avx2 fma avx512f avx512vl avx512_vnni avx512_bf16 amx_tile asimd"

# What a quiet machine may show at most: of a core, what others use and what the hypervisor takes; of a loop's time, how far apart its
# runs are.
OTHERS, STOLEN, APART = 0.05, 0.02, 0.05
SECONDS, WARM_UP, TURNS, SPARE, LOOP = 2.0, 10, 12, 2, 1_000_000


def fields(path="/proc/cpuinfo"):
    """The first processor's."""
    with open(path) as f:
        lines = (line.split(":", 1) for line in f if ":" in line)
        found = {}
        for name, value in lines:
            found.setdefault(name.strip(), value.strip())
        return found


def instructions(cpu):
    return set((cpu.get("flags") or cpu.get("Features") or "").split())


def kind(cpu=None):
    has = instructions(cpu or fields())
    return next((k for k, needed in KINDS.items() if needed <= has), platform.machine())


def describe(cpu=None):
    cpu = cpu or fields()
    name = re.sub(r"\((?:R|TM)\)|(?<=EPYC) .*| +Processor", "", cpu.get("model name", platform.machine())).strip()
    which = f" (family {cpu['cpu family']}, model {cpu['model']})" if "cpu family" in cpu else ""
    return f"{name}{which}, {os.cpu_count()} cores; {' '.join(w for w in SHOWN.split() if w in instructions(cpu))}"


def here_and_now():
    """What every file of figures says first: of which machine, when, of which commit."""
    return {
        "kind": kind(),
        "measured": time.strftime("%d %B %Y").lstrip("0"),
        "machine": describe(),
        "commit": os.environ.get("NNCC_COMMIT", "?"),
    }


def title():
    """AVX-512: Intel Xeon."""
    return f"{TITLES.get(kind(), kind())}: {describe().split(' (')[0]}"


def machine_seconds(path="/proc/stat"):
    """Seconds of all cores together since the start: worked, and stolen by the hypervisor."""
    with open(path) as f:
        user, nice, system, _, _, irq, soft, steal = map(int, f.readline().split()[1:9])
    second = os.sysconf("SC_CLK_TCK")
    return (user + nice + system + irq + soft) / second, steal / second


def own_seconds():
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


class Watch:
    """What others do on the machine from now on."""

    def __init__(self, machine=machine_seconds, own=own_seconds, clock=time.monotonic):
        self.read = lambda: (clock(), *machine(), own())
        self.start = self.read()

    def shares(self):
        """Of a core: used by others, stolen."""
        took, worked, stolen, own = (b - a for a, b in zip(self.start, self.read()))
        return max(0.0, worked - own) / took, stolen / took

    def fault(self, when):
        return busy(*self.shares(), when)


def busy(others, stolen, when):
    """One sentence about what is too much; None: nothing is."""
    for share, most, who in ((others, OTHERS, "used by others"), (stolen, STOLEN, "stolen by the hypervisor")):
        if share > most:
            return f"the machine is busy: expected at most {100 * most:.0f} % of a core {who}, saw {100 * share:.0f} % {when}"
    return None


def loop_seconds():
    start = time.perf_counter()
    for _ in range(LOOP):
        pass
    return time.perf_counter() - start


def unsteady(seconds):
    """One sentence if these times of one loop, but for the SPARE longest, are too far apart; None: they agree."""
    kept = sorted(seconds)[: len(seconds) - SPARE]
    apart = kept[-1] / kept[0] - 1
    if apart <= APART:
        return None
    return f"the machine is unsteady: expected {len(kept)} of {len(seconds)} runs of one loop within {100 * APART:.0f} %, saw {100 * apart:.0f} %"


def not_quiet(seconds=SECONDS):
    """One sentence about why figures taken now would be wrong; None: they would be right."""
    watch = Watch()
    time.sleep(seconds)
    return watch.fault(f"in {seconds:.0f} seconds") or unsteady([loop_seconds() for _ in range(WARM_UP + TURNS)][WARM_UP:])


def wait_until_quiet(minutes):
    """Tries again for so long; the last sentence, or None."""
    end = time.monotonic() + 60 * minutes
    while (fault := not_quiet()) and time.monotonic() < end:
        time.sleep(5)
    return fault


if __name__ == "__main__":
    if sys.argv[1:2] == ["quiet"]:
        sys.exit(wait_until_quiet(float(sys.argv[2]) if sys.argv[2:] else 0))
    if sys.argv[1:] not in (["kind"], ["title"]):
        sys.exit(__doc__)
    print(kind() if sys.argv[1] == "kind" else title())
