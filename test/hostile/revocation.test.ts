/**
 * What a client tries whose mapping is revoked in the midst of a transaction, and who wants another one: the session may
 * end the transaction that it is in, and begin no other.
 */
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cstring, int32, message } from '../../src/pgwire/messages.ts';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { makeUser, policy } from '../harness/identities.ts';
import { startTestServer, type TestServer } from '../harness/server.ts';
import { WireClient } from '../harness/wire.ts';

const ARN = 'arn:aws:iam::123456789012:user/u';
const DENIED = 'unable to accept connection, access denied';

describe.each([
  'dsql',
  'postgres',
] as const)('a session whose mapping is revoked within a transaction, %s', (dialect) => {
  let postern: TestServer;
  let admin: pg.Client;
  let user: SigningCredentials;
  beforeAll(async () => {
    postern = await startTestServer({ dialect });
    admin = await postern.connect();
    user = await makeUser(postern, 'u', policy('Allow', 'dsql:DbConnect'));
    await admin.query('CREATE ROLE app LOGIN');
    await admin.query('CREATE TABLE public.kept (id int PRIMARY KEY)');
    await admin.query('GRANT SELECT, INSERT ON public.kept TO app');
  });
  afterAll(() => postern?.stop());
  beforeEach(() => admin.query('DELETE FROM public.kept'));

  /** A session of the role, in a transaction if it is not to be otherwise, that has just lost its mapping. */
  async function revoked(begin = true): Promise<pg.Client> {
    await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
    const client = await postern.connect('app', user);
    if (begin) await client.query('BEGIN');
    await admin.query(`AWS IAM REVOKE app FROM '${ARN}'`);
    return client;
  }
  const rows = async () => (await admin.query('SELECT id FROM public.kept ORDER BY id')).rows.map(({ id }) => id);
  /** Runs them until the session is ended, and resolves with what it was told. */
  async function untilEnded(client: pg.Client, sql: string): Promise<string> {
    for (;;) {
      const error = await client.query(sql).then(
        () => undefined,
        ({ message }: Error) => message,
      );
      if (error !== undefined) return error;
    }
  }

  it.each([
    ['what stands behind COMMIT in the same text', 'COMMIT; INSERT INTO public.kept VALUES (1)'],
    ['another BEGIN behind COMMIT', 'COMMIT; BEGIN'],
    ['and behind ROLLBACK', '/* x */ rollback ; BEGIN'],
  ])('does not run %s', async (_, sql) => {
    const client = await revoked();
    await expect(client.query(sql)).rejects.toThrow(DENIED);
    expect(await rows()).toEqual([]);
  });

  it('ends its transaction, and is refused the next one', async () => {
    const client = await revoked();
    // In the dialect of the service the change itself is a conflict.
    await client.query('COMMIT').catch(() => undefined);
    await expect(client.query('SELECT 1')).rejects.toThrow(DENIED);
  });

  if (dialect === 'dsql') {
    const run = (sql: string) => [
      message('P', cstring(''), cstring(sql), Buffer.from([0, 0])),
      message('B', Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])),
      message('E', cstring(''), int32(0)),
    ];
    const insert = 'INSERT INTO public.kept VALUES (1)';
    it.each([
      ['before its Sync', [...run('COMMIT'), ...run(insert), message('S')]],
      ['behind a Flush', [...run('COMMIT'), message('H'), ...run(insert), message('S')]],
      ['in a Query before its Sync', [...run('COMMIT'), message('Q', cstring(insert))]],
    ])('does not run what comes behind a COMMIT %s', async (_, messages) => {
      await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
      const client = await WireClient.tls(postern.server.pgPort, { ca: postern.ca });
      await client.login({ user: 'app' }, postern.token('app', user));
      client.query('BEGIN');
      await client.until('Z');
      await admin.query(`AWS IAM REVOKE app FROM '${ARN}'`);
      client.send(...messages);
      expect((await client.until('E').then((frames) => frames.at(-1)))?.body.toString()).toContain(DENIED);
      await client.closed();
      expect(await rows()).toEqual([]);
    });
    return;
  }

  it('does not go on for ever by COMMIT AND CHAIN', async () => {
    expect(await untilEnded(await revoked(), 'COMMIT AND CHAIN')).toMatch(
      new RegExp(`${DENIED}|Connection terminated`),
    );
  });

  it('goes on after ROLLBACK TO, which ends nothing', async () => {
    const client = await revoked();
    await client.query('SAVEPOINT s; ROLLBACK TO s; INSERT INTO public.kept VALUES (1)');
    await client.query('COMMIT');
    expect(await rows()).toEqual([1]);
    await client.end();
  });

  it('is ended within a DO that commits again and again', async () => {
    await admin.query(`AWS IAM GRANT app TO '${ARN}'`);
    const client = await postern.connect('app', user);
    const endless = client
      .query(
        `DO $$ BEGIN FOR i IN 1..1000000 LOOP
           INSERT INTO public.kept VALUES (i); COMMIT; PERFORM pg_sleep(0.01);
         END LOOP; END $$`,
      )
      .catch(({ message }: Error) => message);
    await expect.poll(async () => (await rows()).length).toBeGreaterThan(0);
    await admin.query(`AWS IAM REVOKE app FROM '${ARN}'`);
    expect(await endless).toMatch(new RegExp(`${DENIED}|Connection terminated`));
    const running = "SELECT FROM pg_stat_activity WHERE usename = 'app'";
    await expect.poll(async () => (await admin.query(running)).rowCount).toBe(0);
  });
});
