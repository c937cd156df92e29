// Many clients with small transactions, and the time that one client waits longer than without anything in between.
import { format, medianOf, pairedRatio } from './figures.mjs';
import { alternate, pgbench } from './pgbench.mjs';

const costs = (samples) =>
  samples[0].targetCpu === undefined ? '' : `, ${format(medianOf(samples, 'targetCpu'))} µs CPU each`;

export async function measureThroughput({ postern, pgbouncer, direct, rounds, seconds }) {
  const figures = [];
  for (const mode of ['prepared', 'extended', 'simple']) {
    const options = ['-S', '-M', mode, '-c', '8', '-j', '2', '-T', String(seconds)];
    const [ours, theirs] = await alternate([postern, pgbouncer], rounds, (target) => pgbench(target, options));
    figures.push({
      name: `transactions a second, 8 clients, ${mode}`,
      value: pairedRatio(ours, theirs, 'tps'),
      unit: '×',
      target: mode === 'prepared' ? { atLeast: 0.8 } : undefined,
      note: `${format(medianOf(ours, 'tps'))}${costs(ours)}; PgBouncer ${format(medianOf(theirs, 'tps'))}${costs(theirs)}`,
      samples: { postern: ours, pgbouncer: theirs },
    });
  }
  // Blocks of BEGIN, UPDATE, SELECT, INSERT, COMMIT, which the rules of transactions look into.
  const writing = ['-N', '--max-tries=10', '-M', 'prepared', '-c', '8', '-j', '2', '-T', String(seconds)];
  const [written, theirWritten] = await alternate([postern, pgbouncer], rounds, (target) => pgbench(target, writing));
  figures.push({
    name: 'transactions a second that write, 8 clients, prepared',
    value: pairedRatio(written, theirWritten, 'tps'),
    unit: '×',
    note: `${format(medianOf(written, 'tps'))}${costs(written)}; PgBouncer ${format(medianOf(theirWritten, 'tps'))}${costs(theirWritten)}`,
    samples: { postern: written, pgbouncer: theirWritten },
  });
  const one = ['-S', '-M', 'prepared', '-c', '1', '-T', String(seconds)];
  const [base, ours, theirs] = await alternate([direct, postern, pgbouncer], rounds, (target) => pgbench(target, one));
  // Of the medians: a difference of two times within one round is mostly the noise of that round.
  const time = (samples) => 1e6 / medianOf(samples, 'tps');
  const micro = (samples) => `${format(time(samples))} µs`;
  figures.push({
    name: 'added latency, 1 client, prepared',
    value: (time(ours) - time(base)) / (time(theirs) - time(base)),
    unit: '×',
    target: { atMost: 1.3 },
    note: `a transaction takes ${micro(ours)}; PgBouncer ${micro(theirs)}; direct, without TLS, ${micro(base)}`,
    samples: { direct: base, postern: ours, pgbouncer: theirs },
  });
  return figures;
}
