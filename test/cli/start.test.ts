import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  GetUserPolicyCommand,
  IAMClient,
  PutUserPolicyCommand,
} from '@aws-sdk/client-iam';
import pg from 'pg';
import { afterAll, describe, expect, it } from 'vitest';
import type { Environment } from '../../src/cli/environment.ts';
import { cleanUp, makeFolder, postern, startServerProcess } from '../harness/cli.ts';
import { policy } from '../harness/identities.ts';

afterAll(cleanUp);

async function connect(env: Environment, changes: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({
    host: env['PGHOST'] as string,
    port: Number(env['PGPORT']),
    database: env['PGDATABASE'] as string,
    user: env['PGUSER'] as string,
    password: env['PGPASSWORD'] as string,
    ssl: { ca: readFileSync(env['PGSSLROOTCERT'] as string, 'utf8') },
    ...changes,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const iamClient = (env: Environment) =>
  new IAMClient({
    region: 'us-east-1',
    endpoint: env['AWS_ENDPOINT_URL'] as string,
    credentials: {
      accessKeyId: env['AWS_ACCESS_KEY_ID'] as string,
      secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] as string,
    },
  });

describe('postern start', () => {
  it('remembers users, keys, policies, mappings and data when it is stopped and started again', async () => {
    const cwd = await makeFolder();
    const first = await startServerProcess(cwd);
    const iam = iamClient(first.environment);
    await iam.send(new CreateUserCommand({ UserName: 'kept' }));
    await iam.send(
      new PutUserPolicyCommand({
        UserName: 'kept',
        PolicyName: 'p',
        PolicyDocument: policy('Allow', 'dsql:DbConnect'),
      }),
    );
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: 'kept' }));
    const admin = await connect(first.environment);
    await admin.query('CREATE ROLE kept LOGIN');
    await admin.query("AWS IAM GRANT kept TO 'arn:aws:iam::123456789012:user/kept'");
    await admin.query('CREATE SCHEMA things');
    await admin.query('CREATE TABLE things.thing (n int)');
    await admin.query('INSERT INTO things.thing VALUES (7)');
    await admin.query('GRANT USAGE ON SCHEMA things TO kept');
    await admin.query('GRANT SELECT ON things.thing TO kept');
    await admin.end();
    expect(await first.stop('SIGINT')).toBe(0);
    expect(readdirSync(cwd)).toEqual(['.postern']);

    const second = await startServerProcess(cwd);
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'POSTERN_CLUSTER_ID']) {
      expect(second.environment[name]).toBe(first.environment[name]);
    }
    const stored = await iamClient(second.environment).send(
      new GetUserPolicyCommand({ UserName: 'kept', PolicyName: 'p' }),
    );
    expect(decodeURIComponent(stored.PolicyDocument as string)).toBe(policy('Allow', 'dsql:DbConnect'));
    const keys = { AWS_ACCESS_KEY_ID: AccessKey?.AccessKeyId, AWS_SECRET_ACCESS_KEY: AccessKey?.SecretAccessKey };
    const token = await postern(['token', '--user', 'kept'], { ...second.environment, ...keys });
    const kept = await connect(second.environment, { user: 'kept', password: token.stdout.trim() });
    expect((await kept.query('SELECT n, current_user FROM things.thing')).rows).toEqual([
      { n: 7, current_user: 'kept' },
    ]);
    await kept.end();
    expect(await second.stop('SIGTERM')).toBe(0);
  });

  it('keeps what was committed when it is killed, and stops the PostgreSQL that is left', async () => {
    const cwd = await makeFolder();
    const first = await startServerProcess(cwd);
    const admin = await connect(first.environment);
    await admin.query('CREATE TABLE survivor (n int)');
    await admin.query('INSERT INTO survivor VALUES (1)');
    await admin.query('BEGIN');
    await admin.query('INSERT INTO survivor VALUES (2)');
    expect(await first.stop('SIGKILL')).toBe('SIGKILL');
    const second = await startServerProcess(cwd);
    const again = await connect(second.environment);
    expect((await again.query('SELECT n FROM survivor')).rows).toEqual([{ n: 1 }]);
    await again.end();
    await second.stop();
  });

  it('makes a data directory for its owner only', async () => {
    const cwd = await makeFolder();
    const server = await startServerProcess(cwd);
    const open = readdirSync(join(cwd, '.postern'), { recursive: true, withFileTypes: true })
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => (statSync(path).mode & 0o077) !== 0)
      .filter((path) => !path.endsWith('ca.crt'));
    expect(statSync(join(cwd, '.postern')).mode & 0o777).toBe(0o700);
    expect(open).toEqual([]);
    await server.stop();
  });

  it('refuses a data directory that another server runs on', async () => {
    const cwd = await makeFolder();
    const server = await startServerProcess(cwd);
    const second = await postern(['start', '--pg-port', '0', '--api-port', '0'], {}, cwd);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/\.postern is in use: a server runs on it \(process \d+\)\n$/);
    await (await connect(server.environment)).end();
    await server.stop();
  });

  it('says which port is taken', async () => {
    const server = await startServerProcess(await makeFolder());
    const port = server.environment['PGPORT'] as string;
    const second = await postern(['start', '--pg-port', port, '--api-port', '0'], {}, await makeFolder());
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`--pg-port: 127.0.0.1:${port} is in use`);
    await server.stop();
  });

  it('refuses the data of another account or region with one line that names the option', async () => {
    const cwd = await makeFolder();
    await (await startServerProcess(cwd)).stop();
    for (const [option, value] of [
      ['--account', '210987654321'],
      ['--region', 'eu-west-1'],
    ] as const) {
      const second = await postern(['start', '--pg-port', '0', '--api-port', '0', option, value], {}, cwd);
      expect(second).toMatchObject({ status: 2, stdout: '' });
      expect(second.stderr).toMatch(new RegExp(`^postern: ${option} ${value}: .*\n$`));
    }
  });

  it('ends idle sessions when it is stopped, and tells them', async () => {
    const server = await startServerProcess(await makeFolder());
    const client = await connect(server.environment);
    const told = new Promise((resolve) => client.once('error', resolve));
    const stopped = server.stop('SIGTERM');
    expect(await told).toMatchObject({ severity: 'FATAL', code: '57P01' });
    expect(await stopped).toBe(0);
  });
});

describe('postern env', () => {
  it('prints the same environment in every format, with a fresh token', async () => {
    const cwd = await makeFolder();
    const server = await startServerProcess(cwd);
    const json = JSON.parse((await postern(['env', '--format', 'json'], {}, cwd)).stdout) as Environment;
    const withoutToken = ({ PGPASSWORD: _, ...rest }: Environment) => rest;
    expect(withoutToken(json)).toEqual(withoutToken(server.environment));
    expect(Object.keys(json).sort()).toEqual(
      [
        'AWS_ENDPOINT_URL',
        'AWS_ACCESS_KEY_ID',
        'AWS_SECRET_ACCESS_KEY',
        'AWS_REGION',
        'AWS_DEFAULT_REGION',
        'REGION',
        'POSTERN_ACCOUNT_ID',
        'POSTERN_CLUSTER_ID',
        'POSTERN_CLUSTER_ARN',
        'POSTERN_CLUSTER_HOSTNAME',
        'CLUSTER_ENDPOINT',
        'PGHOST',
        'PGPORT',
        'PGDATABASE',
        'PGUSER',
        'CLUSTER_USER',
        'PGPASSWORD',
        'PGSSLMODE',
        'PGSSLROOTCERT',
        'NODE_EXTRA_CA_CERTS',
      ].sort(),
    );
    const shell = await postern(['env'], {}, cwd);
    expect(shell.stdout).toMatch(/^export AWS_ENDPOINT_URL=http:\/\/127\.0\.0\.1:\d+$/m);
    expect(shell.stdout).toMatch(/^export PGPASSWORD='.*Action=DbConnectAdmin&.*'$/m);
    const dotenv = await postern(['env', '--format=dotenv', '--data-dir', join(cwd, '.postern')]);
    expect(dotenv.stdout).toMatch(/^PGHOST=localhost$/m);
    await server.stop();
  });

  it('says when no server runs', async () => {
    const cwd = await makeFolder();
    expect(await postern(['env'], {}, cwd)).toEqual({
      status: 1,
      stdout: '',
      stderr: `postern: no server runs on ${join(cwd, '.postern')}\n`,
    });
  });
});
