// Decisions on one core, without a network: what each login and each call of the API asks.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { medianOf } from './figures.mjs';
import { run } from './programs.mjs';

export async function measureDecisions({ folder, rounds }) {
  const outfile = join(folder, 'decisions.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('decisions.ts', import.meta.url))],
    outfile,
    bundle: true,
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
    figure('a session with 10 policies of 5 statements, all conditions asked: allowed', 'allowed', { atMost: 10 }),
    figure('the same, each time on another resource than before', 'elsewhere', { atMost: 10 }),
    figure('the same, an action that no statement is about: refused', 'refused', { atMost: 10 }),
    figure('the first one with its explanation', 'explained', undefined),
  ];
}
