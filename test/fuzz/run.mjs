// Explores every target (targets.ts) until the time is up: inputs that reach a block of code for the first time are built on.
//   npm run fuzz [-- --seconds N] [--runs N] [--seed N] [--target NAME] [--input FILE] [--save]
// What breaks a promise is written to corpus/<target>/found, and its run goes on with the next target. --input tries one
// file again. --save keeps what reached something new in corpus/<target>/reached.json.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { build } from 'esbuild';

/** In ms: an input that takes longer than this ends the run. */
const HANG = 30_000;
const CORPUS = fileURLToPath(new URL('corpus', import.meta.url));

function wholeNumber(name, text) {
  if (text === undefined) return undefined;
  if (!/^\d{1,10}$/.test(text)) {
    console.error(`--${name}: ${JSON.stringify(text)} is no whole number`);
    process.exit(2);
  }
  return Number(text);
}

const option = { type: 'string' };
const { values } = parseArgs({
  options: { seconds: option, runs: option, seed: option, target: option, input: option, save: { type: 'boolean' } },
});
const runs = wholeNumber('runs', values.runs);
const seconds = wholeNumber('seconds', values.seconds) ?? (runs === undefined ? 30 : undefined);
const seed = wholeNumber('seed', values.seed) ?? Date.now() % 2 ** 31;

// Beside the packages, so that those with files of their own are found.
const folder = mkdtempSync(fileURLToPath(new URL('../../node_modules/.postern-fuzz-', import.meta.url)));
const url = pathToFileURL(join(folder, 'targets.mjs')).href;
let fuzz;
try {
  const parts = ['targets', 'explore', 'coverage', 'corpus'];
  await build({
    stdin: {
      contents: parts.map((part) => `export * from './${part}.ts';`).join(''),
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    external: ['libpg-query'],
    loader: { '.sql': 'text' },
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // Packages of the older kind ask for Node's own modules by this name.
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    outfile: fileURLToPath(url),
    logLevel: 'warning',
  });
  fuzz = await import(url);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const { TARGETS } = fuzz;
const names = Object.keys(TARGETS).filter((name) => values.target === undefined || name === values.target);
if (names.length === 0) {
  console.error(`--target: ${values.target} is none of ${Object.keys(TARGETS).join(', ')}`);
  process.exit(2);
}

const show = (path) => relative(process.cwd(), path);
const repeat = (target, path) => `npm run fuzz -- --target ${target} --input ${show(path)}`;

/** Writes down an input that never comes to its end, and ends the run. */
function watch() {
  const shared = new SharedArrayBuffer(8 + 65_536);
  const facts = new Int32Array(shared, 0, 2);
  const bytes = Buffer.from(shared, 8);
  const code = `
    const { workerData, parentPort } = require('node:worker_threads');
    const { mkdirSync, writeFileSync } = require('node:fs');
    const facts = new Int32Array(workerData.shared, 0, 2);
    let target = '', last = -1;
    parentPort.on('message', (name) => { target = name; });
    setInterval(() => {
      const count = Atomics.load(facts, 0);
      if (count === last && target !== '') {
        const found = workerData.corpus + '/' + target + '/found';
        mkdirSync(found, { recursive: true });
        const input = Buffer.from(new Uint8Array(workerData.shared, 8, Atomics.load(facts, 1)));
        writeFileSync(found + '/endless-' + count, input);
        console.error(target + ': FOUND an input that is not read in time: ' + found + '/endless-' + count);
        process.kill(process.pid, 'SIGKILL');
      }
      last = count;
    }, ${HANG});`;
  const worker = new Worker(code, { eval: true, workerData: { shared, corpus: CORPUS } });
  worker.unref();
  return {
    target: (name) => worker.postMessage(name),
    trying(input) {
      Atomics.store(facts, 1, bytes.write(input, 'latin1'));
      Atomics.add(facts, 0, 1);
    },
  };
}

if (values.input !== undefined) {
  const input = readFileSync(values.input, 'latin1');
  const error = await fuzz.tryInput(TARGETS[names[0]], input);
  console.log(`${names[0]}: ${error ? error.stack : 'every promise is kept'}`);
  process.exit(error ? 1 : 0);
}

const watcher = watch();
const coverage = new fuzz.Coverage(url);
let failed = false;
let total = 0;
for (const name of names) {
  watcher.target(name);
  const until = seconds === undefined ? undefined : Date.now() + (seconds * 1000) / names.length;
  const corpus = fuzz.readReached(CORPUS, name);
  const { inputs, reached, finding } = await fuzz.explore(TARGETS[name], {
    seed,
    runs: runs ?? Number.POSITIVE_INFINITY,
    until,
    corpus,
    coverage,
    trying: watcher.trying,
  });
  total += inputs;
  if (values.save) fuzz.writeReached(CORPUS, name, reached);
  if (finding === undefined) {
    console.log(`${name}: ${inputs} inputs, ${reached.length} of them reached something new, nothing found`);
    continue;
  }
  failed = true;
  const path = fuzz.writeFound(CORPUS, name, finding.input);
  console.log(`${name}: FOUND after ${inputs} inputs (seed ${seed})`);
  console.log(`  input: ${JSON.stringify(finding.input)}`);
  console.log(`  ${String(finding.error.stack).replaceAll('\n', '\n  ')}`);
  console.log(`  again: ${repeat(name, path)}`);
}
console.log(`${total} inputs, seed ${seed}`);
process.exit(failed ? 1 : 0);
