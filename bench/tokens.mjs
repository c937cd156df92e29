// Verification of tokens on one core, without a network.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { medianOf } from './figures.mjs';
import { run } from './programs.mjs';

export async function measureTokens({ folder, rounds }) {
  const outfile = join(folder, 'tokens.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('tokens.ts', import.meta.url))],
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
    unit: '/s',
    target,
    samples: samples.map((sample) => sample[property]),
  });
  return [
    figure('token parsed and verified, 1 KB session token', 'signature', { atLeast: 30_000 }),
    figure('key found, token verified, policy decided: a user', 'user', { atLeast: 30_000 }),
    figure('the same: a role session, its token opened', 'session', undefined),
  ];
}
