"""Makes the measurements of a plan.  Each is one JSON file; one that is there
already, of the same command, machine and program, is not made again."""
import json
import os
import subprocess
import time

import energy
import instructions
import machine


class Failed(Exception):
    """A measurement that cannot be made here, and why."""


class Bench:
    """The programs that measure: `tern` and the benchmarks beside it."""

    def __init__(self, program, powercap="/sys/class/powercap"):
        self.program = program
        self.folder = os.path.dirname(os.path.abspath(program))
        self.powercap = powercap
        self.target = self._best_target()

    def _best_target(self):
        lines = subprocess.run([self.program, "--version"], capture_output=True,
                               text=True, check=True).stdout.splitlines()
        start = "active target: "
        return next((line[len(start):] for line in lines
                     if line.startswith(start)), "")

    def run(self, measurement):
        cores = machine.usable_cores()
        if cores < measurement.needs_cores:
            raise Failed(f"needs {measurement.needs_cores} cores, this machine "
                         f"gives {cores}")
        return getattr(self, "_" + measurement.kind)(measurement.arguments)

    def _bench(self, arguments):
        return json.loads(_output([self.program, "bench", *arguments]))

    def _kernels(self, arguments):
        """The results of each process."""
        processes = int(arguments[0])
        words = [word.replace("BEST", self.target) for word in arguments[1:]]
        program = os.path.join(self.folder, "bench", words[0])
        command = [program, *words[1:], "--benchmark_format=json"]
        return [json.loads(_output(command))["benchmarks"]
                for _ in range(processes)]

    def _instructions(self, _arguments):
        program = os.path.join(self.folder, "bench", "count_instructions")
        counted = json.loads(_output([program, self.target]))
        return instructions.summarise(counted, program)

    def _energy(self, arguments):
        """Joules a token by the counters: a run of many tokens less one of
        few, so that loading, checks and the reading of memory cancel."""
        counters = energy.Counters(self.powercap)
        if not counters.found:
            raise Failed(f"no readable RAPL counter in {self.powercap}")
        few, many = 32, 160
        joules = []
        for tokens in (few, many):
            before = counters.read()
            self._bench((*arguments, "-n", str(tokens), "--json"))
            joules.append(counters.joules_since(before))
        # Three samples and the warm-up.
        return {"joules_per_token": (joules[1] - joules[0]) /
                (4 * (many - few)), "counters": counters.names}


def _output(command):
    """stdout of a program, or Failed with its last line on stderr."""
    try:
        run = subprocess.run(command, capture_output=True, text=True,
                             check=False)
    except OSError as error:
        raise Failed(f"{command[0]}: {error.strerror}; build it") from error
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or [f"status {run.returncode}"]
        raise Failed(lines[-1])
    return run.stdout


def load(path):
    """What a JSON file holds; None if it is missing or broken."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def save(path, record):
    """Under its name only when it is complete."""
    part = path + ".part"
    with open(part, "w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.write("\n")
    os.replace(part, path)


def path_of(folder, measurement):
    return os.path.join(folder, measurement.name + ".json")


def is_done(folder, measurement, print_of_machine):
    record = load(path_of(folder, measurement))
    return (record is not None and "results" in record and
            record["machine"] == print_of_machine and
            record["arguments"] == list(measurement.arguments))


def make_one(folder, measurement, bench, print_of_machine):
    """Measures, writes the file, and returns why it failed, or None."""
    record = {"name": measurement.name, "machine": print_of_machine,
              "arguments": list(measurement.arguments)}
    start = time.monotonic()
    try:
        record["results"] = bench.run(measurement)
    except Failed as error:
        record["failed"] = str(error)
    record["seconds"] = round(time.monotonic() - start, 1)
    save(path_of(folder, measurement), record)
    return record.get("failed")


def make_all(folder, plan, bench, print_of_machine, stop_after, tell):
    """True if nothing is left to measure; stops early, between two
    measurements, once `stop_after` seconds are used up."""
    start = time.monotonic()
    for number, measurement in enumerate(plan, 1):
        place = f"[{number}/{len(plan)}] {measurement.name}"
        if is_done(folder, measurement, print_of_machine):
            tell(f"{place}: there already")
            continue
        if time.monotonic() - start > stop_after:
            tell(f"{place}: next; stopped after {stop_after:.0f} s, "
                 "run it again to go on")
            return False
        tell(f"{place}: measuring")
        failed = make_one(folder, measurement, bench, print_of_machine)
        tell(f"{place}: cannot be measured: {failed}" if failed
             else f"{place}: done")
    return True


def read_all(folder, plan, print_of_machine):
    """name -> record of those that are there, of this machine and program."""
    records = {m.name: load(path_of(folder, m)) for m in plan}
    return {name: record for name, record in records.items()
            if record and record["machine"] == print_of_machine}
