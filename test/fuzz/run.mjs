// Draws inputs for every target (targets.ts) until the time is up or one breaks a promise.
//   npm run fuzz [-- --seconds N] [--runs N] [--seed N] [--target NAME] [--path PATH]
// A finding is printed with its seed and path; giving both again repeats it at once.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const BATCH = 2_000;

function wholeNumber(name, text) {
  if (text === undefined) return undefined;
  if (!/^-?\d{1,10}$/.test(text)) {
    console.error(`--${name}: ${JSON.stringify(text)} is no whole number`);
    process.exit(2);
  }
  return Number(text);
}

const option = { type: 'string' };
const { values } = parseArgs({
  options: { seconds: option, runs: option, seed: option, target: option, path: option },
});
const runs = wholeNumber('runs', values.runs);
const seconds = wholeNumber('seconds', values.seconds) ?? (runs === undefined ? 30 : undefined);
const firstSeed = wholeNumber('seed', values.seed) ?? Date.now() % 2 ** 31;

// Beside the packages, so that those with files of their own are found.
const folder = mkdtempSync(fileURLToPath(new URL('../../node_modules/.postern-fuzz-', import.meta.url)));
let targets;
let fc;
try {
  const outfile = join(folder, 'targets.mjs');
  await build({
    stdin: {
      contents: "export { TARGETS } from './targets.ts'; export { default as fc } from 'fast-check';",
      resolveDir: fileURLToPath(new URL('.', import.meta.url)),
    },
    bundle: true,
    external: ['libpg-query'],
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    outfile,
    logLevel: 'warning',
  });
  ({ TARGETS: targets, fc } = await import(pathToFileURL(outfile).href));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const names = Object.keys(targets).filter((name) => values.target === undefined || name === values.target);
if (names.length === 0) {
  console.error(`--target: ${values.target} is none of ${Object.keys(targets).join(', ')}`);
  process.exit(2);
}

let failed = false;
for (const name of names) {
  const until = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + (seconds * 1000) / names.length;
  let done = 0;
  let finding;
  for (
    let seed = firstSeed;
    finding === undefined && Date.now() < until && done < (runs ?? Number.POSITIVE_INFINITY);
    seed++
  ) {
    const numRuns = Math.min(BATCH, runs === undefined ? BATCH : runs - done);
    const details = targets[name]({
      seed,
      numRuns,
      ...(values.path === undefined ? {} : { path: values.path }),
    });
    done += details.numRuns;
    if (details.failed) finding = details;
    if (values.path !== undefined) break;
  }
  if (finding === undefined) {
    console.log(`${name}: ${done} inputs, nothing found`);
    continue;
  }
  failed = true;
  console.log(`${name}: FOUND after ${done} inputs`);
  console.log(`  input: ${fc.stringify(finding.counterexample)}`);
  console.log(`  ${String(finding.errorInstance?.stack ?? finding.errorInstance).replaceAll('\n', '\n  ')}`);
  console.log(`  again: npm run fuzz -- --target ${name} --seed ${finding.seed} --path ${finding.counterexamplePath}`);
}
process.exit(failed ? 1 : 0);
