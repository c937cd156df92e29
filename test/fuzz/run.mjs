// npm run fuzz [-- --seconds N --seed N --only NAME]: random input for every decoder, N seconds each (10).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import fc from 'fast-check';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const limit = Number(values.seconds) * 1000;
const seed = Number(values.seed ?? Date.now() % 2 ** 31);

const folder = mkdtempSync(join(tmpdir(), 'postern-fuzz-'));
const outfile = join(folder, 'targets.mjs');
let failed = 0;
try {
  await build({
    entryPoints: [new URL('targets.ts', import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile,
    logLevel: 'warning',
  });
  const { TARGETS } = await import(pathToFileURL(outfile).href);
  for (const { name, property } of TARGETS) {
    if (values.only !== undefined && values.only !== name) continue;
    const began = performance.now();
    let runs = 0;
    // In rounds: a property is asked for a number of runs, and the clock is looked at in between.
    for (let round = 0; performance.now() - began < limit; round++) {
      const result = fc.check(property, { numRuns: 2_000, seed: (seed + round) | 0 });
      runs += result.numRuns;
      if (!result.failed) continue;
      failed++;
      console.error(
        `${name}: failed with --seed ${seed}: ${fc.stringify(result.counterexample)}\n${result.errorInstance?.stack}`,
      );
      break;
    }
    console.log(`${name}: ${runs} inputs`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failed === 0 ? 0 : 1);
