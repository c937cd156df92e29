import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateUserCommand } from '@aws-sdk/client-iam';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, makeFolder, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { eventually } from '../harness/clusters.ts';
import { openFiles, tells } from '../harness/machine.ts';
import { WireClient } from '../harness/wire.ts';
import { Door } from './door.ts';
import { figure } from './scale.ts';

afterAll(cleanUp);

/** Of which the server keeps a quarter for itself, 64 for calls of the API, and 64 for clients that are refused. */
const LIMIT = 400;
const MOST_SESSIONS = (LIMIT * 0.75 - 64 - 64) / 2;
const TLS = { rejectUnauthorized: false };

describe(`a server that may have ${LIMIT} files open`, () => {
  it('says so, refuses what is too much with 53300 or not at all, and goes on with what it has', async () => {
    const folder = await makeFolder();
    const server: StartedServer = await startServerProcess(folder, ['--connection-rate', '0'], {
      openFiles: LIMIT,
    });
    const door = new Door(() => server);
    expect(server.stderr()).toContain('allows fewer sessions than are configured');

    const sessions: WireClient[] = [];
    const login = async () => {
      const client = await WireClient.tls(door.port, TLS);
      client.startup({ database: 'postgres', user: 'admin' });
      await client.frame();
      client.password(door.token());
      const { type, body } = await client.frame();
      if (type === 'E') {
        client.end();
        return body.toString('latin1');
      }
      await client.until('Z');
      sessions.push(client);
      return undefined;
    };
    let refused: string | undefined;
    while (refused === undefined && sessions.length < LIMIT) refused = await login();
    expect(refused).toContain('C53300\0');
    expect(sessions.length).toBe(MOST_SESSIONS);

    // Now everything that is left is taken by connections that do not log in.
    const crowd = await Promise.all(Array.from({ length: LIMIT }, () => WireClient.tcp(door.port)));
    await expect
      .poll(() => door.metric('postern_connections_dropped_total'), eventually)
      .toBeGreaterThanOrEqual(LIMIT - 64);
    if (tells) expect(openFiles(door.pid)).toBeLessThan(LIMIT - 64);
    for (const client of sessions) {
      client.query('SELECT 1');
      expect((await client.until('Z')).some(({ type }) => type === 'D')).toBe(true);
    }
    const createUser = (name: string) =>
      door
        .iam()
        .send(new CreateUserCommand({ UserName: name }))
        .then(
          () => 'done',
          (error: Error) => error.name,
        );
    expect(await createUser('meanwhile')).toBe('done');
    expect((await door.probe('/readyz')).text).toBe('ready\n');
    // What the server keeps for itself is there when it needs it.
    const pidFile = join(folder, '.postern', 'control', 'postmaster.pid');
    process.kill(Number(readFileSync(pidFile, 'utf8').split('\n')[0]), 'SIGKILL');
    await expect.poll(() => createUser('afterwards'), eventually).toBe('done');

    for (const client of crowd) client.end();
    // Calls of the API were made on connections that stay for a while, too.
    for (const client of sessions.splice(0, 5)) client.end();
    await expect.poll(async () => (await login()) ?? 'in', eventually).toBe('in');
    figure('open files', `with a limit of ${LIMIT}: ${MOST_SESSIONS} sessions, the others refused with 53300`);
    for (const client of sessions) client.end();
  });
});
