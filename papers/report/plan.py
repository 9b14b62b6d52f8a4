"""Which measurements a report is made of: one entry, one JSON file."""
import dataclasses
import typing

# Both sides are measured where f16 fits a machine of 16 GB.
COMPARED = ["bitnet-700m", "bitnet-1.3b", "bitnet-3b", "bitnet-3.9b"]
# f16 computed from a layer that is measured.
COMPUTED = ["llama3-8b", "falcon3-10b", "13b", "70b"]
FIRST_TOKEN = ["first-token-short", "first-token-long"]
COMPARISONS = [f"compare-{s}" for s in COMPARED + COMPUTED] + FIRST_TOKEN
# A measurement that is made in several runs, apart from each other.
RUNS = 3
MODEL = "bitnet-2b4t"  # of the curves over threads and context
DEPTHS = [0, 512, 1024, 2048, 4096]
Q8_DEPTHS = [512, 4096]


@dataclasses.dataclass(frozen=True)
class Measurement:
    name: str
    # "bench": arguments of `tern bench`; "kernels": of a benchmark program;
    # "instructions": of count_instructions; "energy": of `tern bench`, twice.
    kind: str
    arguments: typing.Tuple[str, ...]
    needs_cores: int = 1


def _bench(name, words, **more):
    return Measurement(name, "bench", tuple(words.split()) + ("--json",),
                       **more)


def _threads(cores):
    """1, 2, 4, ... and all of them."""
    counts = {cores}
    count = 1
    while count < cores:
        counts.add(count)
        count *= 2
    return ",".join(str(count) for count in sorted(counts))


def parts(name):
    """What the runs of a measurement are called."""
    return [f"{name}-{run}" for run in range(1, RUNS + 1)]


# Arguments of the comparisons and how many runs there are: small shapes take
# many short samples, large ones few, for a pair of 3.9B takes 10 s.
_COMPARE = {
    "bitnet-700m": ("-p 128 -n 16 -r 7", 3),
    "bitnet-1.3b": ("-p 128 -n 16 -r 5", 3),
    "bitnet-3b": ("-p 128 -n 8 -r 5", 2),
    "bitnet-3.9b": ("-p 128 -n 8 -r 4", 2),
    "llama3-8b": ("--f16-layers 1 -p 128 -n 8 -r 5", 2),
    "falcon3-10b": ("--f16-layers 1 -p 128 -n 8 -r 5", 2),
    "13b": ("--f16-layers 1 -p 128 -n 8 -r 4", 2),
    # Seconds a token; filling 18 GB takes as long as all samples.
    "70b": ("--f16-layers 1 -p 64 -n 4 -r 6", 1)}
_QUICK = {
    "bitnet-700m": ("-p 32 -n 4 -r 5", 1),
    "bitnet-1.3b": ("-p 32 -n 4 -r 3", 1),
    "bitnet-3b": ("-p 32 -n 4 -r 3", 1),
    "llama3-8b": ("--f16-layers 1 -p 32 -n 4 -r 3", 1)}
_FIRST_TOKEN = {"first-token-short": ("-p 16,64 -n 0 -r 7", 3),
                "first-token-long": ("-p 256,512 -n 0 -r 3", 2)}
_QUICK_FIRST_TOKEN = {"first-token-short": ("-p 16,64 -n 0 -r 3", 1)}


def _comparisons(quick):
    """For each run, what it measures."""
    chosen = {f"compare-{shape}": (f"--shape {shape} --compare {work}", runs)
              for shape, (work, runs) in (_QUICK if quick else
                                          _COMPARE).items()}
    chosen.update(
        (name, (f"--shape bitnet-1.3b --compare {work}", runs))
        for name, (work, runs) in (_QUICK_FIRST_TOKEN if quick else
                                   _FIRST_TOKEN).items())
    return [[_bench(parts(name)[run], words)
             for name, (words, runs) in chosen.items() if run < runs]
            for run in range(RUNS)]


def _curves(quick, cores):
    work = "-p 32 -n 8" if quick else "-p 128 -n 32"
    plan = [_bench("threads", f"--shape {MODEL} {work} -r 3 "
                   f"-t {_threads(cores)}", needs_cores=2)]
    for kv, depths in (("f16", DEPTHS), ("q8", [] if quick else Q8_DEPTHS)):
        for depth in [d for d in depths if d <= 512] if quick else depths:
            plan.append(_bench(f"context-{kv}-{depth}", f"--shape {MODEL} "
                               f"-p 0 -n 16 -r 3 --kv {kv} --depth {depth}"))
    if not quick:
        plan.append(_bench("heads", f"--shape {MODEL} -p 0 -n 32 -r 3 "
                           "--head f16,q8,screened"))
    return plan


def _kernels(run, quick, cores):
    # The rate that the kernels reach with weights in the caches: with two
    # threads the flat part of the roofline; with one the ratios to the
    # yardstick, for of two threads one often starts late, which a product of
    # 0.1 ms does not forgive: 40 or 70 GMAC/s, by the minute.
    threads = "1" if cores == 1 else "(1|2)"
    return Measurement(parts("kernels-ternary")[run], "kernels", (
        "1" if quick else "2",  # processes
        "matmul_bench",
        f"--benchmark_repetitions={3 if quick else 7}",
        "--benchmark_min_time=0.04",
        "--benchmark_enable_random_interleaving=true",
        "--benchmark_filter=^((MultiplyAdd|MatVec/BEST)/6912/2560/1|"
        f"(MultiplyAdd|MatMul/BEST)/6912/2560/256)/{threads}/"))


def _dense_kernels(cores):
    return Measurement("kernels-f16", "kernels", (
        "1", "dense_bench", "--benchmark_min_time=0.3",
        "--benchmark_filter=^Prefill/BEST/8640/3200/256/"
        f"{min(cores, 2)}/"))


def _energy():
    # An f16 model of 3.9B costs minutes; one of 700M shows as much.
    return [Measurement(f"energy-{form}", "energy",
                        tuple("--shape bitnet-700m -p 0 -r 3 --format "
                              f"{form}".split()))
            for form in ("ternary", "f16")]


def measurements(quick, cores):
    first, second, third = _comparisons(quick)
    kernels = [_kernels(run, quick, cores) for run in range(RUNS)]
    counts = [Measurement("instructions", "instructions", ())]
    plan = (first + kernels[:1] + _curves(quick, cores) +
            [_dense_kernels(cores)] + second + counts + _energy())
    return plan if quick else plan + kernels[1:2] + third + kernels[2:]
