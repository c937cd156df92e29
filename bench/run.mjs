// npm run bench [-- --rounds N --seconds N --only PART,… --json FILE --program FILE]
//
// Side by side in one run: Postern, and PgBouncer in front of the same PostgreSQL. Prints ratios beside their targets.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureClusters } from './clusters.mjs';
import { measureDecisions } from './decisions.mjs';
import { meets, printFigures } from './figures.mjs';
import { measureLogins } from './logins.mjs';
import { startPgBouncer } from './pgbouncer.mjs';
import { cleanEnvironment, engineOf, startPostern } from './postern.mjs';
import { findProgram, machineTime, run, stopping } from './programs.mjs';
import { measureRows, SCALE } from './rows.mjs';
import { measureStarts } from './starts.mjs';
import { measureStatements } from './statements.mjs';
import { measureThroughput } from './throughput.mjs';
import { measureTokens } from './tokens.mjs';

const PEERS = ['pgbench', 'psql', 'pgbouncer'];

/** `peers` are the programs that a part cannot do without; `every`: of so many rounds it takes part in one, being slow. */
const PARTS = {
  tokens: { title: 'Tokens on one core', peers: [], every: 3, measure: measureTokens },
  decisions: { title: 'Decisions on one core', peers: [], every: 3, measure: measureDecisions },
  statements: { title: 'Statements on one core', peers: [], every: 3, measure: measureStatements },
  starts: { title: 'Starting', peers: [], every: 3, measure: measureStarts },
  clusters: { title: 'Clusters', peers: [], every: 1, measure: measureClusters },
  throughput: { title: 'Small transactions', peers: PEERS, every: 1, measure: measureThroughput },
  rows: { title: 'Large results', peers: PEERS, every: 3, measure: measureRows },
  logins: { title: 'Logins', peers: PEERS, every: 1, measure: measureLogins },
};

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string', default: Object.keys(PARTS).join(',') },
    json: { type: 'string' },
    program: { type: 'string', default: fileURLToPath(new URL('../dist/cli/main.js', import.meta.url)) },
  },
});
const wanted = values.only.split(',');
for (const part of wanted) if (!Object.hasOwn(PARTS, part)) throw new Error(`no part ${part}: ${Object.keys(PARTS)}`);
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopping.abort());

const folder = mkdtempSync(join(tmpdir(), 'postern-bench-'));
// The user that PostgreSQL and PgBouncer run as, when this is root, must reach what is theirs.
chmodSync(folder, 0o711);
const undo = [() => rmSync(folder, { recursive: true, force: true })];
const figures = [];
const before = machineTime();
try {
  const parts = wanted.filter((part) => hasPeers(part));
  const sides = parts.some((part) => PARTS[part].peers.length > 0) ? await startSides() : {};
  for (const part of parts) {
    const { title, every, measure } = PARTS[part];
    const program = resolve(values.program);
    const measured = await measure({ ...sides, program, folder, rounds: Math.ceil(rounds / every), seconds });
    figures.push(...measured.map((figure) => ({ part, ...figure })));
    printFigures(title, measured);
  }
} finally {
  for (const step of undo.reverse()) await step();
}
const stolen = stolenShare(before, machineTime());
if (stolen > 0.01)
  console.log(`\nOther virtual machines took ${Math.round(stolen * 100)} % of the CPU time meanwhile.`);
const missed = figures.filter((figure) => meets(figure) === false);
console.log(`\n${figures.length} figures, ${missed.length} below target`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report(), null, 2)}\n`);

function hasPeers(part) {
  const missing = PARTS[part].peers.filter((name) => findProgram(name) === undefined);
  if (missing.length > 0) console.log(`\n${PARTS[part].title}: left out, not installed: ${missing.join(', ')}`);
  return missing.length === 0;
}

/** Postern, PgBouncer on the same PostgreSQL, and that PostgreSQL itself. */
async function startSides() {
  const own = join(folder, 'postern');
  mkdirSync(own, { mode: 0o711 });
  const cache = join(folder, 'cache');
  mkdirSync(cache, { mode: 0o711 });
  const postern = await startPostern({ program: resolve(values.program), folder: own, cache });
  undo.push(() => postern.stop());
  const engine = await engineOf(postern);
  const user = postern.environment.PGUSER;
  const client = { ...cleanEnvironment(), PGUSER: user, PGDATABASE: 'postgres' };
  const direct = { name: 'direct', env: { ...client, PGHOST: engine.socketFolder, PGPORT: engine.port } };
  await run('pgbench', ['-i', '-q', '-s', String(SCALE), 'postgres'], { env: direct.env });
  const tls = { cert: join(postern.dataDir, 'tls', 'server.crt'), key: join(postern.dataDir, 'tls', 'server.key') };
  const program = findProgram('pgbouncer');
  const pgbouncer = await startPgBouncer({ program, folder: join(folder, 'pgbouncer'), engine, tls, user });
  undo.push(() => pgbouncer.stop());
  const { PGHOST, PGPORT, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT } = postern.environment;
  // An address, so that no side pays for the name's other addresses.
  const encrypted = { ...client, PGHOST, PGHOSTADDR: '127.0.0.1', PGSSLMODE, PGSSLROOTCERT };
  return {
    postern: { ...postern, env: { ...encrypted, PGPORT, PGPASSWORD } },
    pgbouncer: { ...pgbouncer, env: { ...encrypted, ...pgbouncer.environment } },
    direct,
  };
}

function stolenShare(from, to) {
  return from === undefined ? undefined : (to.stolen - from.stolen) / (to.total - from.total);
}

function report() {
  const machine = { cores: cpus().length, platform: process.platform, arch: process.arch, node: process.version };
  const rows = figures.map((figure) => ({ ...figure, met: meets(figure) }));
  return { date: new Date().toISOString().slice(0, 10), machine, rounds, seconds, stolen, figures: rows };
}
