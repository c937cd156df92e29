// Reading of statements on one core, without a network: what the dialect costs.
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { medianOf } from './figures.mjs';
import { run } from './programs.mjs';

export async function measureStatements({ rounds }) {
  // Beside the packages, so that the parser's own file is found.
  const folder = mkdtempSync(fileURLToPath(new URL('../node_modules/.postern-bench-', import.meta.url)));
  try {
    const outfile = join(folder, 'statements.mjs');
    await build({
      entryPoints: [fileURLToPath(new URL('statements.ts', import.meta.url))],
      outfile,
      bundle: true,
      external: ['libpg-query'],
      format: 'esm',
      platform: 'node',
      target: 'node20.19',
      logLevel: 'warning',
    });
    const samples = [];
    for (let round = 0; round < rounds; round++) {
      samples.push(JSON.parse((await run(process.execPath, [outfile])).stdout));
    }
    const figure = (name, property, target) => ({
      name,
      value: medianOf(samples, property),
      unit: ' µs',
      target,
      samples: samples.map((sample) => sample[property]),
    });
    return [
      figure('a statement that was seen before, from its bytes on', 'known', { atMost: 3 }),
      figure('a short statement of which others with other numbers were seen', 'numbers', undefined),
      figure('a new short statement', 'short', { atMost: 40 }),
      figure('a new statement of 20 lines', 'long', undefined),
      figure('a new statement that is refused', 'refused', undefined),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
