"""What the instructions that a kernel ran do: counts of count_instructions,
with objdump's text of the program that ran."""
import re
import subprocess

_REGISTER_BYTES = {"z": 64, "y": 32, "x": 16}
_INTEGER_ADD = re.compile(r"^v?p(?:add|sub)([bwdq])$")
_ADD_BYTES = {"b": 1, "w": 2, "d": 4, "q": 8}
_SHUFFLE = re.compile(r"^v?pshufb$|^vpermi2b$|^vpermb$")
_OTHER_VECTOR_INTEGER = re.compile(
    r"^v?p(and|andn|or|xor|andd|orq|ternlog|srl|sll|sra|unpck|mov|cmp|perm|"
    r"abs|max|min|insr|extr|align|shuf)|^v?(perm|extract|insert|punpck)")
_INTEGER_MULTIPLY = re.compile(r"^(\{vex\} )?v?p(mul|madd|dp(bus|wss)d)")
_FLOAT_MULTIPLY = re.compile(r"^v?mul[ps][sd]$")
_FLOAT_FUSED = re.compile(r"^vfn?m(add|sub)\d+[ps][sd]$")
_FLOAT_ADD = re.compile(r"^v?(add|sub)[ps][sd]$")
_BROADCAST_BYTES = {"vbroadcasti128": 16, "vbroadcasti32x4": 16,
                    "vbroadcasti64x2": 16, "vpbroadcastd": 4,
                    "vbroadcastss": 4, "vpbroadcastb": 1, "vpbroadcastw": 2,
                    "vpbroadcastq": 8, "vbroadcastsd": 8, "vmovd": 4,
                    "vmovq": 8, "vmovss": 4, "movss": 4, "movd": 4, "movq": 8}
_HALF = ("vcvtph2ps", "vpmovsx", "vpmovzx", "pmovsx", "pmovzx")


def empty():
    return {"instructions": 0, "add_lanes": {"1": 0, "2": 0, "4": 0},
            "shuffled_bytes": 0, "other_vector_bytes": 0,
            "integer_multiply_lanes": 0, "float_multiply_lanes": 0,
            "float_add_lanes": 0, "loaded_bytes": 0, "stored_bytes": 0}


def _vector_bytes(operands):
    found = re.findall(r"%([xyz])mm", operands)
    return max((_REGISTER_BYTES[letter] for letter in found), default=0)


def _operands(text):
    """AT&T's operands; commas within parentheses do not separate."""
    return re.split(r",(?![^(]*\))", text)


def _memory_bytes(name, operands):
    if "{1to" in operands:
        return 4
    if name in _BROADCAST_BYTES:
        return _BROADCAST_BYTES[name]
    vector = _vector_bytes(operands)
    if vector:
        return vector // 2 if name.startswith(_HALF) else vector
    for pattern, size in ((r"^movz?s?b|b$", 1), (r"^mov[zs]w|w$", 2),
                          (r"l$|%e|%r\d+d", 4)):
        if re.search(pattern, name if "%" not in pattern else operands):
            return size
    return 8


def _add_memory(total, name, operands, times):
    if "(" not in operands or name.startswith(("lea", "nop", "prefetch",
                                               "call", "jmp")):
        return
    stores = "(" in _operands(operands)[-1]
    where = "stored_bytes" if stores and "mov" in name else "loaded_bytes"
    total[where] += _memory_bytes(name, operands) * times


def add(total, name, operands, times):
    """Adds `times` runs of one instruction to the counts."""
    total["instructions"] += times
    size = _vector_bytes(operands)
    # Of a scalar float instruction one lane counts.
    lanes = 1 if name.endswith(("ss", "sd")) else size // 4
    integer_add = _INTEGER_ADD.match(name)
    if integer_add and size:
        width = _ADD_BYTES[integer_add.group(1)]
        # Two 32-bit lanes for one of 64.
        key = str(min(width, 4))
        total["add_lanes"][key] += size // int(key) * times
    elif _SHUFFLE.match(name):
        total["shuffled_bytes"] += size * times
    elif _INTEGER_MULTIPLY.match(name) and size:
        total["integer_multiply_lanes"] += lanes * times
    elif _FLOAT_MULTIPLY.match(name):
        total["float_multiply_lanes"] += lanes * times
    elif _FLOAT_FUSED.match(name):
        total["float_multiply_lanes"] += lanes * times
        total["float_add_lanes"] += lanes * times
    elif _FLOAT_ADD.match(name):
        total["float_add_lanes"] += lanes * times
    elif _OTHER_VECTOR_INTEGER.match(name) and size:
        total["other_vector_bytes"] += size * times
    _add_memory(total, name, operands, times)


def disassemble(program):
    """address -> (name, operands) of the whole program."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program],
                          capture_output=True, text=True, check=True).stdout
    code = {}
    for line in text.splitlines():
        found = re.match(r"^\s*([0-9a-f]+):\t(?:\{\w+\} )?(\S+)\s*([^#<]*)",
                         line)
        if found:
            code[int(found.group(1), 16)] = (found.group(2),
                                             found.group(3).strip())
    return code


def per_weight(kernel, code):
    """The counts of one kernel, divided by weights times tokens."""
    total = empty()
    for address, times in kernel["runs"].items():
        name, operands = code[int(address, 16)]
        add(total, name, operands, times)
    work = kernel["weights"] * kernel["tokens"]
    for key, value in total.items():
        total[key] = ({size: lanes / work for size, lanes in value.items()}
                      if isinstance(value, dict) else value / work)
    return total


def summarise(counted, program):
    code = disassemble(program)
    return {"target": counted["target"],
            "kernels": [{"name": kernel["name"], "weights": kernel["weights"],
                         "tokens": kernel["tokens"],
                         "per_weight": per_weight(kernel, code)}
                        for kernel in counted["kernels"]]}
