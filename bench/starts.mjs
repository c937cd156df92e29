// From the command to the ready file.
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { medianOf } from './figures.mjs';
import { startPostern } from './postern.mjs';

export async function measureStarts({ program, folder, rounds }) {
  const first = [];
  const fresh = [];
  const later = [];
  for (let round = 0; round < rounds; round++) {
    const cache = join(folder, `cache-${round}`);
    mkdirSync(cache);
    // The user that PostgreSQL runs as, when this is root, must reach it.
    chmodSync(cache, 0o755);
    for (const [samples, name] of [
      [first, 'a'],
      [fresh, 'b'],
      [later, 'b'],
    ]) {
      const own = join(folder, `start-${round}${name}`);
      mkdirSync(own, { recursive: true });
      chmodSync(own, 0o755);
      const postern = await startPostern({ program, folder: own, cache });
      samples.push({ time: postern.startTime / 1000 });
      await postern.stop();
    }
    for (const name of [`cache-${round}`, `start-${round}a`, `start-${round}b`]) {
      rmSync(join(folder, name), { recursive: true });
    }
  }
  const figure = (name, samples, target) => ({ name, value: medianOf(samples, 'time'), unit: ' s', target, samples });
  return [
    figure('first start on a machine', first, { atMost: 2 }),
    figure('first start on a folder, cache filled', fresh, undefined),
    figure('later start', later, { atMost: 0.6 }),
  ];
}
