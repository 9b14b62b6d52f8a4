"""Which measurements a report is made of: one entry, one JSON file."""
import dataclasses
import typing

# Both sides are measured where f16 fits a machine of 16 GB.
COMPARED = ["bitnet-700m", "bitnet-1.3b", "bitnet-3b", "bitnet-3.9b"]
ALONE = ["llama3-8b", "falcon3-10b", "13b", "70b"]
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


def _by_size(quick):
    work = "-p 32 -n 4" if quick else "-p 128 -n 32"
    # Samples in turn: of 5 the median is the same in the next run, of 3 it is
    # not where others share the machine.
    plan = [_bench(f"compare-{shape}", f"--shape {shape} --compare {work} "
                   f"-r {3 if quick else 5}")
            for shape in COMPARED]
    for shape in ALONE[:1] if quick else ALONE:
        # 70B takes seconds a token.
        some = "-p 64 -n 8" if shape == "70b" else work
        plan.append(_bench(f"alone-{shape}", f"--shape {shape} {some} -r 3"))
    return plan


def _curves(quick, cores):
    work = "-p 32 -n 8" if quick else "-p 128 -n 32"
    plan = [_bench("threads", f"--shape {MODEL} {work} -r 3 "
                   f"-t {_threads(cores)}", needs_cores=2)]
    for kv, depths in (("f16", DEPTHS), ("q8", Q8_DEPTHS)):
        for depth in [d for d in depths if d <= 512] if quick else depths:
            plan.append(_bench(f"context-{kv}-{depth}", f"--shape {MODEL} "
                               f"-p 0 -n 16 -r 3 --kv {kv} --depth {depth}"))
    for head in () if quick else ("f16,q8,screened",):
        plan.append(_bench("heads", f"--shape {MODEL} -p 0 -n 32 -r 3 "
                           f"--head {head}"))
    prompts = "16,64" if quick else "16,64,256,512"
    plan.append(_bench("first-token", "--shape bitnet-1.3b --compare "
                       f"-p {prompts} -n 0 -r {3 if quick else 5}"))
    return plan


def _kernels(cores):
    return [
        # The rate that the kernels reach with weights in the caches: the flat
        # part of the roofline.
        Measurement("kernels-ternary", "kernels", (
            "matmul_bench", "--benchmark_repetitions=5",
            "--benchmark_min_time=0.05",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_filter=^(MultiplyAdd|Mat.*/BEST)/6912/2560/"
            f"(1|256)/{min(cores, 2)}/")),
        Measurement("kernels-f16", "kernels", (
            "dense_bench", "--benchmark_min_time=0.3",
            "--benchmark_filter=^Prefill/BEST/8640/3200/256/"
            f"{min(cores, 2)}/")),
    ]


def measurements(quick, cores):
    # An f16 model of 3.9B costs minutes; one of 700M shows as much.
    energy = "--shape bitnet-700m -p 0 -r 3 --format"
    return (_by_size(quick) + _curves(quick, cores) + _kernels(cores) +
            [Measurement("instructions", "instructions", ())] +
            [Measurement(f"energy-{form}", "energy",
                         tuple(f"{energy} {form}".split()))
             for form in ("ternary", "f16")])
