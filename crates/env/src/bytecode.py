# Compares compiled files with what their sources compile to. Nothing of either is run. Reads lines of an optimization,
# a compiled file and its source; writes a line for each: its number, and whether it is the `same` or `other`.
import _imp
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER

CODE = type(compile("", "", "exec"))
PARTS = ["co_code", "co_names", "co_varnames", "co_freevars", "co_cellvars", "co_flags", "co_argcount"]
PARTS += ["co_posonlyargcount", "co_kwonlyargcount", "co_name", "co_exceptiontable"]


def equal(one, other):
    if type(one) is not type(other):
        return False
    if isinstance(one, CODE):
        parts = [part for part in PARTS if hasattr(one, part)]
        return all(getattr(one, part) == getattr(other, part) for part in parts) and equal(one.co_consts, other.co_consts)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, frozenset):
        return equal(tuple(sorted(one, key=repr)), tuple(sorted(other, key=repr)))
    if isinstance(one, (float, complex)):
        return repr(one) == repr(other)
    return one == other


def compiled_from(optimize, compiled, source):
    with open(compiled, "rb") as file:
        data = file.read()
    with open(source, "rb") as file:
        text = file.read()
    number = lambda at: int.from_bytes(data[at:at + 4], "little")
    if data[:4] != MAGIC_NUMBER or len(data) < 16:
        return True  # Python does not take it.
    if number(4) == 0:
        stat = os.stat(source)
        fresh = number(8) == int(stat.st_mtime) & 0xFFFFFFFF and number(12) == stat.st_size & 0xFFFFFFFF
    else:
        # What is not checked always counts.
        magic = int.from_bytes(MAGIC_NUMBER, "little")
        fresh = not number(4) & 2 or _imp.source_hash(magic, text) == data[8:16]
    if not fresh:
        return True
    return equal(marshal.loads(data[16:]), compile(text, source, "exec", dont_inherit=True, optimize=optimize))


def decoded(line):
    optimize, compiled, source = line.rstrip(b"\n").split(b"\t")
    return int(optimize), os.fsdecode(compiled), os.fsdecode(source)


for index, line in enumerate(sys.stdin.buffer):
    try:
        same = compiled_from(*decoded(line))
    except FileNotFoundError:
        same = True
    except Exception:
        same = False
    print(index, "same" if same else "other", flush=True)
