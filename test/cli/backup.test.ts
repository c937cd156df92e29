import {
  appendFileSync,
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { CreateClusterCommand, DSQLClient, waitUntilClusterActive } from '@aws-sdk/client-dsql';
import { CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand } from '@aws-sdk/client-iam';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presignToken } from '../../src/sigv4/presign.ts';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { policy } from '../harness/identities.ts';

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
}

const rootOf = ({ environment: env }: StartedServer): Keys => ({
  accessKeyId: env['AWS_ACCESS_KEY_ID'] as string,
  secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] as string,
});

const config = (server: StartedServer) => ({
  region: 'us-east-1',
  endpoint: server.environment['AWS_ENDPOINT_URL'] as string,
  credentials: rootOf(server),
});

async function connect(server: StartedServer, user: string, keys: Keys, clusterId?: string): Promise<pg.Client> {
  const { environment: env } = server;
  const id = clusterId ?? (env['POSTERN_CLUSTER_ID'] as string);
  const host = `${id}.dsql.us-east-1.on.aws`;
  const action = user === 'admin' ? 'DbConnectAdmin' : 'DbConnect';
  const client = new pg.Client({
    host: '127.0.0.1',
    port: Number(env['PGPORT']),
    database: 'postgres',
    user,
    password: presignToken({ host, region: 'us-east-1', action, credentials: keys, expiresIn: 900, now: new Date() }),
    ssl: { ca: readFileSync(env['PGSSLROOTCERT'] as string, 'utf8'), servername: host },
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

let cwd: string;
let backup: string;
let user: Keys;
let otherId: string;
let clusterId: string;
let ca: string;
/** The load's transactions: acknowledged before the backup began, and all. */
let before = 0;
let all = 0;

beforeAll(async () => {
  cwd = await makeFolder();
  backup = join(await makeFolder(), 'backup');
  const server = await startServerProcess(cwd, ['--idle-time', '1']);
  clusterId = server.environment['POSTERN_CLUSTER_ID'] as string;
  ca = readFileSync(server.environment['PGSSLROOTCERT'] as string, 'utf8');
  const iam = new IAMClient(config(server));
  await iam.send(new CreateUserCommand({ UserName: 'kept' }));
  const document = policy('Allow', 'dsql:DbConnect');
  await iam.send(new PutUserPolicyCommand({ UserName: 'kept', PolicyName: 'p', PolicyDocument: document }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'kept' }));
  user = { accessKeyId: AccessKey!.AccessKeyId!, secretAccessKey: AccessKey!.SecretAccessKey! };
  const dsql = new DSQLClient(config(server));
  const { identifier } = await dsql.send(new CreateClusterCommand({}));
  otherId = identifier as string;
  await waitUntilClusterActive({ client: dsql, maxWaitTime: 30, minDelay: 1, maxDelay: 1 }, { identifier: otherId });
  const other = await connect(server, 'admin', rootOf(server), otherId);
  await other.query('CREATE TABLE place (n int)');
  await other.query('INSERT INTO place VALUES (42)');
  // Nobody uses it any more: asleep, or on the way to it, when the backup is made.
  await other.end();

  const admin = await connect(server, 'admin', rootOf(server));
  await admin.query('CREATE ROLE kept LOGIN');
  await admin.query("AWS IAM GRANT kept TO 'arn:aws:iam::123456789012:user/kept'");
  await admin.query('CREATE TABLE one (n int)');
  await admin.query('CREATE TABLE two (n int, filler text)');
  let loading = true;
  const load = (async () => {
    while (loading) {
      await admin.query('BEGIN');
      await admin.query('INSERT INTO one VALUES ($1)', [all]);
      await admin.query("INSERT INTO two VALUES ($1, repeat('x', 2000))", [all]);
      await admin.query('COMMIT');
      all++;
    }
  })();
  while (all < 50) await new Promise((resolve) => setImmediate(resolve));
  before = all;
  const made = await postern(['backup', '--to', backup, '--include-key'], {}, cwd);
  expect(made).toMatchObject({ status: 0, stderr: '' });
  expect(made.stdout).toMatch(/: 3 databases, \d+ files, [\d.]+ MB\. The sealing key is in it\.\n$/);
  const after = all;
  expect(after).toBeGreaterThan(before);
  loading = false;
  await load;
  await admin.end();
  const without = await postern(['backup', '--to', `${backup}-without`], {}, cwd);
  expect(without).toMatchObject({ status: 0, stderr: '' });
  const again = await postern(['backup', '--to', backup], {}, cwd);
  expect(again).toMatchObject({ status: 1, stderr: `postern: ${backup} is there already\n` });
  const inside = await postern(['backup', '--to', join(cwd, '.postern', 'x')], {}, cwd);
  expect(inside.stderr).toContain('is in the data directory');
  await server.stop();
}, 60_000);
afterAll(cleanUp);

describe('postern backup', () => {
  it('copies everything for its owner only, and nothing of a session or of another start', () => {
    const names = readdirSync(backup, { recursive: true, encoding: 'utf8' });
    for (const name of names) expect(statSync(join(backup, name)).mode & 0o077).toBe(0);
    expect(names.filter((name) => /postmaster\.|postern\.pid|server\.json|\.partial/.test(name))).toEqual([]);
    expect(readdirSync(join(backup, 'clusters')).sort()).toEqual([clusterId, otherId].sort());
    expect(existsSync(join(backup, 'seal.key'))).toBe(true);
    expect(existsSync(join(`${backup}-without`, 'seal.key'))).toBe(false);
  });

  it('needs a server that runs', async () => {
    const none = await postern(['backup', '--to', `${backup}-none`], {}, cwd);
    expect(none).toMatchObject({ status: 1, stderr: `postern: no server runs on ${join(cwd, '.postern')}\n` });
  });
});

describe('postern restore', () => {
  it('gives back users, keys, mappings, certificates and data, each transaction whole or not at all', async () => {
    const place = await makeFolder();
    const restored = await postern(['restore', '--from', backup, '--data-dir', join(place, '.postern')]);
    expect(restored).toMatchObject({ status: 0, stderr: '' });
    const server = await startServerProcess(place);
    expect(server.environment['POSTERN_CLUSTER_ID']).toBe(clusterId);
    expect(readFileSync(server.environment['PGSSLROOTCERT'] as string, 'utf8')).toBe(ca);
    const kept = await connect(server, 'kept', user);
    expect((await kept.query('SELECT current_user AS u')).rows).toEqual([{ u: 'kept' }]);
    await kept.end();
    const admin = await connect(server, 'admin', rootOf(server));
    const { rows } = await admin.query(
      'SELECT (SELECT count(*) FROM one)::int AS one, (SELECT count(*) FROM two)::int AS two, (SELECT max(n) FROM one) AS last',
    );
    const { one, two, last } = rows[0];
    expect(one).toBe(two);
    expect(last).toBe(one - 1);
    expect(one).toBeGreaterThanOrEqual(before);
    expect(one).toBeLessThanOrEqual(all);
    // It is a server like any other: it writes, and its own backup can be made.
    await admin.query('INSERT INTO one VALUES (-1)');
    await admin.end();
    const other = await connect(server, 'admin', rootOf(server), otherId);
    expect((await other.query('SELECT n FROM place')).rows).toEqual([{ n: 42 }]);
    await other.end();
    expect(await postern(['backup', '--to', join(place, 'second')], {}, place)).toMatchObject({ status: 0 });
    await server.stop();
  });

  it('needs the key where the backup has none', async () => {
    const [withKey, withoutKey] = [await makeFolder(), await makeFolder()];
    const from = ['restore', '--from', `${backup}-without`, '--data-dir'];
    const told = await postern([...from, join(withoutKey, '.postern')]);
    expect(told.stdout).toContain('Put the sealing key into');
    await expect(startServerProcess(withoutKey)).rejects.toThrow('the sealing key is not the one');
    const key = join(cwd, '.postern', 'seal.key');
    expect(await postern([...from, join(withKey, '.postern'), '--key-file', key])).toMatchObject({ status: 0 });
    const server = await startServerProcess(withKey);
    await (await connect(server, 'kept', user)).end();
    await server.stop();
  });

  it('takes no backup that was changed, cut off or added to, and no folder that is in use', async () => {
    const place = await makeFolder();
    const broken = join(place, 'broken');
    const tryIt = async (change: () => void): Promise<string> => {
      rmSync(broken, { recursive: true, force: true });
      cpSync(backup, broken, { recursive: true });
      change();
      const done = await postern(['restore', '--from', broken, '--data-dir', join(place, 'data')]);
      expect(done.status).toBe(1);
      expect(existsSync(join(place, 'data'))).toBe(false);
      return done.stderr;
    };
    const file = join(broken, 'control/PG_VERSION');
    expect(await tryIt(() => appendFileSync(file, 'x'))).toContain(`${file} is not what was backed up`);
    expect(await tryIt(() => rmSync(file))).toContain('ENOENT');
    expect(await tryIt(() => writeFileSync(join(broken, 'control/new'), ''))).toContain('is not part of the backup');
    const manifest = join(broken, 'postern-backup.json');
    expect(await tryIt(() => rmSync(manifest))).toContain('is no whole backup');
    const leadOut = () => {
      const content = JSON.parse(readFileSync(manifest, 'utf8'));
      content.files['../escaped'] = content.files['control/PG_VERSION'];
      writeFileSync(manifest, JSON.stringify(content));
      copyFileSync(file, join(place, 'escaped'));
    };
    expect(await tryIt(leadOut)).toContain('which is no path in a backup');
    cpSync(broken, join(place, 'data.partial'), { recursive: true });
    const partial = await postern(['restore', '--from', backup, '--data-dir', join(place, 'data')]);
    expect(partial).toMatchObject({ status: 1 });
    expect(partial.stderr).toContain('of one that was cut off: remove it first');
    const taken = await postern(['restore', '--from', backup, '--data-dir', cwd]);
    expect(taken).toMatchObject({ status: 1, stderr: `postern: ${cwd} is not empty\n` });
  });
});
