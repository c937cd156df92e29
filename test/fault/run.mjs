// Runs the tests of faults with as much of each as is asked for, and prints what they measured.
//   npm run faults [-- --rounds N] [--seed N] [--half-open N] [--logins N] [--sessions N] [--unread MIB] [--readers N] [--only FILE]
// A run is repeated by its seed as far as other processes let it: the moments are drawn from it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** As docs/reliability.md has them. */
const AMOUNTS = {
  rounds: '100',
  'half-open': '1000',
  logins: '2000',
  sessions: '2000',
  unread: '1024',
  readers: '100',
};

const option = { type: 'string' };
const { values } = parseArgs({
  options: {
    ...Object.fromEntries(Object.keys(AMOUNTS).map((name) => [name, option])),
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    only: { type: 'string', default: '' },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'postern-faults-'));
const figures = join(folder, 'figures');
const environment = { ...process.env, POSTERN_FAULTS_FIGURES: figures, POSTERN_FAULTS_SEED: values.seed };
for (const [name, usual] of Object.entries(AMOUNTS)) {
  environment[`POSTERN_FAULTS_${name.replaceAll('-', '_').toUpperCase()}`] = values[name] ?? usual;
}
console.log(`seed ${values.seed}`);
const run = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', `test/fault/${values.only}`, '--no-file-parallelism', '--reporter=verbose'],
  { stdio: 'inherit', cwd: new URL('../..', import.meta.url), env: environment },
);
try {
  console.log(`\n${readFileSync(figures, 'utf8')}`);
} catch {
  console.log('nothing was measured');
}
rmSync(folder, { recursive: true, force: true });
process.exit(run.status ?? 1);
