"""Reads a safetensors file: where each tensor lies, and numbers of some."""
import array
import json
import struct
import sys

_CODES = {"I32": "i", "F32": "f", "U8": "B"}


class File:
    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            size, = struct.unpack("<Q", file.read(8))
            self.header = json.loads(file.read(size))
        self.header.pop("__metadata__", None)
        self._start = 8 + size

    def span(self, name):
        """(first byte in the file, bytes)."""
        begin, end = self.header[name]["data_offsets"]
        return self._start + begin, end - begin

    def numbers(self, name):
        entry = self.header[name]
        offset, size = self.span(name)
        with open(self.path, "rb") as file:
            file.seek(offset)
            values = array.array(_CODES[entry["dtype"]], file.read(size))
        if sys.byteorder == "big":
            values.byteswap()
        return values

    def rows(self, name):
        """A matrix as lists."""
        values = self.numbers(name)
        width = self.header[name]["shape"][-1]
        return [list(values[i:i + width])
                for i in range(0, len(values), width)]
