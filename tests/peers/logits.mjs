// node logits.mjs TERN MODEL...: llama.cpp computes what tern does from TQ2_0
// and TQ1_0 files of models of architecture llama (README.md says how near).
import {getLlama} from 'node-llama-cpp';
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {basename, join} from 'node:path';
import {makeFolder, pack, ternJson} from './packed.mjs';

const kPositions = 64;
const kMargin = 0.3;      // lead of the best id that must decide
const kMaxRms = 0.3;      // of the logits' differences
const kLeastDecided = 32;  // positions with such a lead, or nothing is tested

// Rows of logits [ids][vocab] of tern.
function ternLogits(tern, path, ids, folder) {
  const out = join(folder, 'logits.f32');
  execFileSync(tern, ['logits', '-m', path, '--tokens', ids.join(','), '--all',
                      '-o', out, '--kv', 'f32'], {stdio: 'pipe'});
  const bytes = readFileSync(out);
  const all = new Float32Array(bytes.buffer, bytes.byteOffset,
                               bytes.byteLength / 4);
  const vocab = all.length / ids.length;
  return ids.map((_, i) => all.subarray(i * vocab, (i + 1) * vocab));
}

function best(logits) {
  let [first, second] = [-1, -1];
  for (let i = 0; i < logits.length; ++i) {
    if (first < 0 || logits[i] > logits[first]) [first, second] = [i, first];
    else if (second < 0 || logits[i] > logits[second]) second = i;
  }
  return {id: first, lead: logits[first] - logits[second]};
}

function greedyIds(tern, path, start, folder) {
  const ids = [...start];
  while (ids.length < kPositions) {
    ids.push(best(ternLogits(tern, path, ids, folder).at(-1)).id);
  }
  return ids;
}

async function llamaLogits(llama, path, ids) {
  const model = await llama.loadModel({modelPath: path});
  const context = await model.createContext({contextSize: 128, threads: 2});
  const results = await context.getSequence().controlledEvaluate(
      ids.map((id) => [id, {generateNext: {logits: true}}]));
  const rows = results.map((result) => {
    const row = new Float32Array(result.next.logits.size);
    for (const [id, logit] of result.next.logits) row[id] = logit;
    return row;
  });
  await model.dispose();
  return rows;
}

function compare(ours, theirs) {
  let [squares, count, decided, parted, max] = [0, 0, 0, 0, 0];
  ours.forEach((row, i) => {
    row.forEach((logit, id) => {
      const difference = Math.abs(logit - theirs[i][id]);
      squares += difference ** 2;
      max = Math.max(max, difference);
      ++count;
    });
    const {id, lead} = best(row);
    if (lead <= kMargin) return;
    ++decided;
    if (best(theirs[i]).id !== id) ++parted;
  });
  return {rms: Math.sqrt(squares / count), max, decided, parted};
}

const [tern, ...models] = process.argv.slice(2);
const folder = makeFolder();
const llama = await getLlama({gpu: false, build: 'never', logLevel: 'error'});
let failed = false;
for (const model of models) {
  for (const type of ['tq2_0', 'tq1_0']) {
    const label = `logits: ${basename(model)} as ${type}`;
    const {path, refused} = pack(tern, model, type, folder);
    if (refused !== undefined) throw new Error(`${label}: ${refused}`);
    const {architecture} = ternJson(tern, ['inspect', path, '--json']).config;
    if (architecture !== 'llama') throw new Error(`${label}: ${architecture}`);
    const ids = greedyIds(tern, path, [1, 107, 374], folder);
    const result = compare(ternLogits(tern, path, ids, folder),
                           await llamaLogits(llama, path, ids));
    const sound = result.parted === 0 && result.rms <= kMaxRms &&
                  result.decided >= kLeastDecided;
    failed ||= !sound;
    console.log(`${label}: ${sound ? 'agrees' : 'DIFFERS'}: the same best id ` +
                `at ${result.decided - result.parted} of ${result.decided} ` +
                `positions where tern's lead is above ${kMargin} (of ` +
                `${ids.length}); logits differ by ${result.rms.toFixed(4)} rms, ` +
                `${result.max.toFixed(3)} at most`);
  }
}
process.exit(failed ? 1 : 0);
