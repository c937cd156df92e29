import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateUserCommand, GetUserCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';

let postern: TestServer;
beforeAll(async () => {
  postern = await startTestServer({}, true);
});
afterAll(() => postern?.stop());

/** The postmaster of an instance, from its own lock file. */
function postmaster(...folder: string[]): number {
  return Number(readFileSync(join(postern.options.dataDir, ...folder, 'postmaster.pid'), 'utf8').split('\n')[0]);
}

const eventually = { timeout: 20_000, interval: 50 };

describe('a PostgreSQL that is killed', () => {
  it('is started again for the next login when it is a cluster’s, and has all that was committed', async () => {
    const client = await postern.connect();
    await client.query('CREATE TABLE kept (n int)');
    await client.query('INSERT INTO kept VALUES (1)');
    const lost = new Promise((resolve) => client.once('end', resolve));
    process.kill(postmaster('clusters', postern.server.clusterId), 'SIGKILL');
    await lost;
    const again = async () => {
      const next = await postern.connect();
      const { rows } = await next.query('SELECT n FROM kept');
      await next.end();
      return rows;
    };
    await expect.poll(() => again().catch((error) => error.code), eventually).toEqual([{ n: 1 }]);
  });

  it('is started again when it is the control database’s; decisions go on meanwhile', async () => {
    const keys = await makeUser(postern, 'before', policy('Allow', 'dsql:DbConnectAdmin'));
    process.kill(postmaster('control'), 'SIGKILL');
    await (await postern.connect('admin', keys)).end();
    const create = () => postern.iam.send(new CreateUserCommand({ UserName: 'after' }));
    await expect
      .poll(
        () =>
          create().then(
            () => 'done',
            (error) => (error.name === 'EntityAlreadyExistsException' ? 'done' : error.name),
          ),
        eventually,
      )
      .toBe('done');
    expect((await postern.iam.send(new GetUserCommand({ UserName: 'before' }))).User?.UserName).toBe('before');
  });
});

describe('a session in the engine that is killed', () => {
  it('tells its client why, and harms nobody else', async () => {
    const [victim, other] = await Promise.all([postern.connect(), postern.connect()]);
    const { rows } = await victim.query('SELECT pg_backend_pid() AS pid');
    const told = new Promise((resolve) => victim.once('error', resolve));
    await other.query('SELECT pg_terminate_backend($1)', [rows[0].pid]);
    expect(await told).toMatchObject({ code: '57P01' });
    expect((await other.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await other.end();
  });
});
