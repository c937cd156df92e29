// What one core calculates, without a network: a program of its own that prints one line of JSON.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { medianOf } from './figures.mjs';
import { run } from './programs.mjs';

/**
 * Runs `source` (a file beside this one) as often as there are rounds. Returns what makes a figure of one property of what it
 * printed. `external`: packages that are loaded from where they are, which `folder` must then be beside.
 */
export async function calculations(source, { folder, rounds, unit, external = [] }) {
  const outfile = join(folder, `${source}.mjs`);
  await build({
    entryPoints: [fileURLToPath(new URL(source, import.meta.url))],
    outfile,
    bundle: true,
    external,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    logLevel: 'warning',
  });
  const samples = [];
  for (let round = 0; round < rounds; round++) {
    samples.push(JSON.parse((await run(process.execPath, [outfile])).stdout));
  }
  return (name, property, target) => ({
    name,
    value: medianOf(samples, property),
    unit,
    target,
    samples: samples.map((sample) => sample[property]),
  });
}
