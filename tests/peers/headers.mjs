// node headers.mjs TERN MODEL...: what @huggingface/gguf reads of every file
// that `tern pack` makes of the models equals what `tern inspect` says.
import {gguf} from '@huggingface/gguf';
import {basename} from 'node:path';
import {makeFolder, pack, ternJson, types} from './packed.mjs';

// The numbers of types that a packed file may have.
const numbers = {F32: 0, F16: 1, Q4_0: 2, Q8_0: 8, Q6_K: 14, I64: 27, BF16: 30,
                 TQ1_0: 34, TQ2_0: 35, I2_S: 36, Q2_0: 42, PQ2_0: 142,
                 PTQ1_0: 143, T2: 0x7432};

// `tern inspect` shows values as text, of long arrays the first six.
function sameScalar(text, value) {
  if (typeof value === 'number') {
    const shown = Number(text);
    return shown === value || Math.fround(shown) === Math.fround(value);
  }
  return text === String(value);
}
function sameValue(text, value) {
  if (!Array.isArray(value)) return sameScalar(text, value);
  const [, shown, count] = /^\[([^]*?)(?:, \.\.\.\] \((\d+)\)|\])$/.exec(text);
  if (count !== undefined && Number(count) !== value.length) return false;
  if (count === undefined && value.length > 6) return false;
  return value.slice(0, 6).map(String).join(', ') === shown ||
         shown.split(', ').every((t, i) => sameScalar(t, value[i]));
}

function* differences(ours, theirs) {
  const metadata = {...theirs.metadata};
  for (const key of ['version', 'tensor_count', 'kv_count']) delete metadata[key];
  for (const key of new Set([...Object.keys(metadata),
                             ...Object.keys(ours.metadata)])) {
    if (!(key in metadata)) yield `${key}: not read`;
    else if (!(key in ours.metadata)) yield `${key}: not ours`;
    else if (!sameValue(ours.metadata[key], metadata[key])) {
      yield `${key}: ${ours.metadata[key]} here, ${metadata[key]} there`;
    }
  }
  const tensors = new Map(theirs.tensorInfos.map((t) => [t.name, t]));
  if (tensors.size !== ours.tensors.length) yield 'another number of tensors';
  for (const tensor of ours.tensors) {
    const other = tensors.get(tensor.name);
    if (other === undefined) {
      yield `${tensor.name}: not read`;
      continue;
    }
    const shape = other.shape.map(Number).reverse();
    if (String(shape) !== String(tensor.shape)) {
      yield `${tensor.name}: shape ${tensor.shape} here, ${shape} there`;
    }
    if (numbers[tensor.type] !== other.dtype) {
      yield `${tensor.name}: type ${tensor.type} here, ${other.dtype} there`;
    }
    const offset = Number(theirs.tensorDataOffset) + Number(other.offset);
    if (offset !== tensor.offset) {
      yield `${tensor.name}: at ${tensor.offset} here, ${offset} there`;
    }
  }
}

const [tern, ...models] = process.argv.slice(2);
const folder = makeFolder();
let failed = 0;
for (const model of models) {
  for (const type of types) {
    const file = pack(tern, model, type, folder);
    const label = `headers: ${basename(model)} as ${type}`;
    if (file.refused !== undefined) {
      console.log(`${label}: refused by tern: ${file.refused}`);
      continue;
    }
    const ours = ternJson(tern, ['inspect', file.path, '--json']);
    const theirs = await gguf(file.path, {allowLocalFile: true});
    const found = [...differences(ours, theirs)];
    failed += found.length;
    console.log(`${label}: ${Object.keys(ours.metadata).length} keys, ` +
                `${ours.tensors.length} tensors` +
                (found.length === 0 ? ', the same' : ''));
    for (const difference of found) console.log(`  ${difference}`);
  }
}
if (failed > 0) {
  console.log(`headers: ${failed} differences`);
  process.exit(1);
}
