// Whole logins: TCP, TLS handshake, password, session, one statement, goodbye.
import { format, medianOf, pairedRatio } from './figures.mjs';
import { alternate, pgbench } from './pgbench.mjs';

export async function measureLogins({ postern, pgbouncer, rounds, seconds }) {
  const options = ['-C', '-S', '-c', '8', '-j', '2', '-T', String(seconds)];
  const [ours, theirs] = await alternate([postern, pgbouncer], rounds, (target) => pgbench(target, options));
  const cost = (samples) => {
    const [{ targetCpu }] = samples;
    const own = targetCpu === undefined ? '' : `${format(medianOf(samples, 'targetCpu') / 1000)} ms CPU in it, `;
    return `${format(medianOf(samples, 'tps'))} (${own}${format(medianOf(samples, 'clientCpu') / 1000)} ms in the client)`;
  };
  return [
    {
      name: 'logins a second, 8 clients',
      value: pairedRatio(ours, theirs, 'tps'),
      unit: '×',
      target: { atLeast: 0.5 },
      note: `${cost(ours)}; PgBouncer, SCRAM, ${cost(theirs)}`,
      samples: { postern: ours, pgbouncer: theirs },
    },
  ];
}
