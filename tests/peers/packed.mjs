// Packs models with tern, for the other scripts.
import {execFileSync, spawnSync} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {basename, join} from 'node:path';

export const types = ['t2', 'tq2_0', 'tq1_0', 'i2_s', 'q2_0'];

export function makeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'tern-peers-'));
  process.on('exit', () => rmSync(folder, {recursive: true, force: true}));
  return folder;
}

// The file's path, or why tern refuses: {path} or {refused}.
export function pack(tern, model, type, folder) {
  const path = join(folder, `${basename(model)}.${type}.gguf`);
  const run = spawnSync(tern, ['pack', model, path, '--type', type, '--force'],
                        {encoding: 'utf8'});
  if (run.status === 0) return {path};
  return {refused: run.stderr.trim()};
}

export function ternJson(tern, args) {
  return JSON.parse(execFileSync(tern, args,
                                 {encoding: 'utf8', maxBuffer: 1 << 30}));
}
