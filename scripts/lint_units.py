#!/usr/bin/env python3
"""Joins source files for clang-tidy; scripts/lint.sh calls it.

  scripts/lint_units.py BUILD FOLDER...

Most of what clang-tidy does for a file it does for the headers of Boost,
nlohmann-json and the standard library.  So the sources of each folder are
included in one unit, BUILD/lint/FOLDER/UnifiedSource-I-N.cc, and the headers are
read once: 30 files of runtime/ take 136 s of a processor, not about 280.  Files
that do not compile together, as each has a thing of the same name in its
anonymous namespace, come into different units.

What differs from looking at each file alone: recursion through several files of
a folder is seen; misc-unused-using-decls and misc-unused-alias-decls see
nothing, they look only into the main file (lint.sh runs them for each file); and
the static analyzer follows calls from file to file, looking at a function that
it has followed in its callers' contexts alone.

BUILD holds compile_commands.json; BUILD/lint gets one for the units, and copies
of the folders' .clang-tidy files.  Prints the units, the largest first.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMPILER = 'clang++-14'  # clang-tidy-14's own idea of what compiles

# Callbacks of a connection that reads and of one that writes start each other,
# through Asio's queue; in one unit that looks like recursion.
ALONE = ['cli/serve/connection_write.cc']


def read_commands(build):
  """{file: (folder to compile in, arguments without file and output)}."""
  commands = {}
  for entry in json.loads((build / 'compile_commands.json').read_text()):
    words = shlex.split(entry['command'])
    if os.path.basename(words[0]) == 'ccache':
      del words[0]
    del words[words.index('-o'):words.index('-o') + 2]
    del words[words.index('-c'):words.index('-c') + 2]
    # Warnings are the compilers' affair, who see each file alone.
    words = [w for w in words if not w.startswith('-W')]
    commands.setdefault(entry['file'], (entry['directory'], words))
  return commands


def write_unit(unit, files):
  # The static analyzer follows paths in included sources only if UnifiedSource
  # is in the name of the file that includes them (its AnalysisManager.h).
  unit.write_text(''.join(
      f'#include "{file}"  // NOLINT(bugprone-suspicious-include)\n'
      for file in files))


def faulty_files(command, unit, files):
  """Those of a unit's files in which its compiler finds an error."""
  directory, words = command
  run = subprocess.run(
      [COMPILER, *words[1:], '-ferror-limit=0', '-fsyntax-only', str(unit)],
      cwd=directory, capture_output=True, text=True)
  if run.returncode == 0:
    return []
  places = re.findall(r'^([^\s:]+):\d+:\d+: (?:fatal )?error:', run.stderr, re.M)
  # An error in a header may come from any file: they leave one by one.
  faulty = [file for file in files if file in places] or files[-1:]
  return faulty if len(faulty) < len(files) else faulty[1:]


def make_units(name, files, command):
  """[(unit, its files)]; clang-tidy says if a file does not compile alone."""
  units = []
  while files:
    unit = name.with_name(f'{name.name}-{len(units)}.cc')
    later = []
    write_unit(unit, files)
    while len(files) > 1 and (faulty := faulty_files(command, unit, files)):
      files = [file for file in files if file not in faulty]
      later += faulty
      write_unit(unit, files)
    units.append((unit, files))
    files = later
  return units


def copy_settings(lint, folders):
  """clang-tidy looks for them in the unit's folder and above."""
  for settings in [ROOT / '.clang-tidy'] + [
      file for folder in folders for file in (ROOT / folder).rglob('.clang-tidy')]:
    copy = lint / settings.relative_to(ROOT)
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(settings, copy)


def group_files(commands, folders):
  """{(folder, alone or not, folder to compile in, arguments...): files}."""
  groups = collections.defaultdict(list)
  for folder in folders:
    for file in sorted((ROOT / folder).rglob('*.cc')):
      if str(file) not in commands:
        sys.exit(f'{file}: not in compile_commands.json; configure again')
      directory, words = commands[str(file)]
      alone = str(file.relative_to(ROOT)) in ALONE
      groups[(file.parent, alone, directory, *words)].append(str(file))
  return groups


def main():
  build, folders = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
  lint = build / 'lint'
  shutil.rmtree(lint, ignore_errors=True)
  copy_settings(lint, folders)
  tasks = []
  for i, (key, files) in enumerate(group_files(read_commands(build), folders).items()):
    folder, _, directory, *words = key
    name = lint / folder.relative_to(ROOT) / f'UnifiedSource-{i}'
    name.parent.mkdir(parents=True, exist_ok=True)
    tasks.append((name, files, (directory, words)))
  with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    made = list(pool.map(lambda task: make_units(*task), tasks))
  units = [(unit, files, task[2]) for task, several in zip(tasks, made)
           for unit, files in several]
  (lint / 'compile_commands.json').write_text(json.dumps([
      {'directory': directory, 'file': str(unit),
       'arguments': [*words, '-c', str(unit)]}
      for unit, _, (directory, words) in units], indent=1))
  units.sort(key=lambda unit: -sum(map(os.path.getsize, unit[1])))
  for unit, _, _ in units:
    print(unit)


main()
