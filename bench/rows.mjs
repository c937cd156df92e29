// Large results.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, medianOf, pairedRatio } from './figures.mjs';
import { alternate, pgbench } from './pgbench.mjs';
import { cpuOf, run } from './programs.mjs';

/** Rows of pgbench_accounts: four columns, about 120 bytes on the wire. */
export const SCALE = 10;

export async function measureRows({ postern, pgbouncer, direct, rounds, folder }) {
  const script = join(folder, 'rows.sql');
  // pgbench reads the whole result and looks at none of it, so the client is as cheap as libpq can be.
  writeFileSync(script, 'SELECT * FROM pgbench_accounts;\n');
  const targets = [direct, postern, pgbouncer];
  const options = (mode) => ['-f', script, '-M', mode, '-c', '1', '-t', '1'];
  const figures = [];
  for (const mode of ['simple', 'extended']) {
    const samples = await alternate(targets, rounds, (target) => pgbench(target, options(mode)));
    figures.push(figure(`reading 10⁶ rows, ${mode}`, samples, mode === 'simple' ? { atLeast: 0.9 } : undefined));
  }
  figures.push(figure('COPY of 10⁶ rows to the client', await alternate(targets, rounds, copyOut), undefined));
  return figures;
}

async function copyOut(target) {
  const before = cpuOf(target.pid);
  const script = ['\\timing', 'COPY pgbench_accounts TO STDOUT \\g /dev/null', ''].join('\n');
  const { stdout } = await run('psql', ['-Xq', 'postgres'], { env: target.env, input: script });
  const time = Number(/Time: ([\d.]+) ms/.exec(stdout)?.[1] ?? Number.NaN);
  if (!(time > 0)) throw new Error(`COPY through ${target.name} failed: ${stdout}`);
  return { time, tps: 1000 / time, targetCpu: before === undefined ? undefined : (cpuOf(target.pid) - before) * 1000 };
}

function figure(name, [base, ours, theirs], target) {
  const text = (samples) => `${format(medianOf(samples, 'time'))} ms`;
  const cpu = (samples) =>
    samples[0].targetCpu === undefined ? '' : ` (${format(medianOf(samples, 'targetCpu') / 1000)} ms CPU)`;
  return {
    name,
    value: pairedRatio(ours, theirs, 'tps'),
    unit: '×',
    target,
    note: `${text(ours)}${cpu(ours)}; PgBouncer ${text(theirs)}${cpu(theirs)}; direct, without TLS, ${text(base)}`,
    samples: { direct: base, postern: ours, pgbouncer: theirs },
  };
}
