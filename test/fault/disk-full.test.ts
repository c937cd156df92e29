import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateUserCommand, GetUserCommand, type IAMClient } from '@aws-sdk/client-iam';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { eventually } from '../harness/clusters.ts';
import { Door } from './door.ts';
import { figure } from './scale.ts';

/** In MiB: room for the data of a server and a little more. */
const SIZE = 160;

const mounted: string[] = [];

/** A file system of its own, in memory. Undefined where this user may not mount one. */
async function mountDisk(): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'postern-disk-'));
  const options = `size=${SIZE}m,mode=0755`;
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'postern-test', folder], { stdio: 'ignore' });
  if (status === 0) {
    mounted.push(folder);
    return folder;
  }
  await rm(folder, { recursive: true });
  return undefined;
}

/** Whether disks can be made: for root, outside of most containers. */
const CAN_MOUNT = await mountDisk().then(async (folder) => {
  if (folder) await unmount(folder);
  return folder !== undefined;
});
if (!CAN_MOUNT) console.info('skipped: a disk that is full for real needs the right to mount one (root)');

async function unmount(folder: string): Promise<void> {
  execFileSync('umount', [folder]);
  await rm(folder, { recursive: true });
  mounted.splice(mounted.indexOf(folder), 1);
}

/** Takes all the room that there is, to the last byte. */
function fill(disk: string): void {
  const file = openSync(join(disk, 'filler'), 'a');
  try {
    for (const size of [1024 * 1024, 4096, 1]) {
      try {
        for (const bytes = Buffer.alloc(size, 'x'); writeSync(file, bytes) === size; );
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
    }
  } finally {
    closeSync(file);
  }
}

const makeRoom = (disk: string) => rmSync(join(disk, 'filler'));

const LOST = 'connection lost';

/** The SQLSTATE, or that there was none. */
function codeOf(error: unknown): string {
  const { code } = error as { code?: string };
  return code !== undefined && /^[0-9A-Z]{5}$/.test(code) ? code : LOST;
}

/** What the clients of a cluster were told, and must find again. */
interface Told {
  rows: Set<number>;
  /** How often the one row has been changed. */
  changes: number;
}

type Write = (client: pg.Client, told: Told) => Promise<void>;

let count = 0;
/** Rows need new pages of their table: PostgreSQL refuses the statement that finds no room for one. */
const insert: Write = async (client, { rows }) => {
  const n = ++count;
  await client.query("INSERT INTO kept VALUES ($1, repeat('x', 20000))", [n]);
  rows.add(n);
};
/** Changes of one row find room on its page, and need it in PostgreSQL's log, without which it cannot go on at all. */
const change: Write = async (client, told) => {
  const { rows } = await client.query('UPDATE changed SET n = n + 1, filler = repeat(md5(n::text), 59) RETURNING n');
  told.changes = rows[0].n;
};

/** Writes until it is refused. Returns what the client saw, or undefined when it never was. */
async function writeUntilRefused(client: pg.Client, told: Told, write: Write): Promise<string | undefined> {
  try {
    for (let n = 0; n < 50_000; n++) await write(client, told);
    return undefined;
  } catch (error) {
    return codeOf(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Makes users until one is refused; what was acknowledged goes into `kept`. Returns what the client saw. */
async function makeUsersUntilRefused(iam: IAMClient, kept: Set<string>): Promise<string> {
  try {
    for (;;) {
      const UserName = `user-${kept.size}-${'x'.repeat(40)}`;
      await iam.send(new CreateUserCommand({ UserName, Tags: [{ Key: 'k', Value: 'v'.repeat(256) }] }));
      kept.add(UserName);
    }
  } catch (error) {
    return (error as Error).name;
  }
}

/** PostgreSQL refuses the statement (53100), or ends its sessions; Postern refuses logins meanwhile. */
const REFUSALS = ['53100', '57P01', '57P02', '57P03', '58030', LOST];

describe.runIf(CAN_MOUNT).each([
  { auditRequired: 'off', whenFull: 'logins go on as far as PostgreSQL lets them' },
  { auditRequired: 'on', whenFull: 'nobody is let in unseen' },
] as const)('a disk that is full (--audit-required $auditRequired)', ({ auditRequired, whenFull }) => {
  let disk: string;
  let server: StartedServer;
  const door = new Door(() => server);
  const told: Told = { rows: new Set(), changes: 0 };
  const users = new Set<string>();
  const connected = async () => {
    const client = door.client();
    await client.connect();
    return client;
  };

  beforeAll(async () => {
    disk = (await mountDisk()) as string;
    server = await startServerProcess(disk, ['--audit-required', auditRequired, '--log-level', 'warn']);
    await door.run(
      'CREATE TABLE kept (n int PRIMARY KEY, filler text)',
      'CREATE TABLE changed (id int PRIMARY KEY, n int, filler text)',
      "INSERT INTO changed VALUES (1, 0, repeat('x', 1900))",
    );
  });
  afterAll(async () => {
    await cleanUp();
    for (const folder of [...mounted]) await unmount(folder);
  });

  it(`is told to clients in the middle of their work, and ${whenFull}`, async () => {
    const [inserting, changing, another] = [await connected(), await connected(), await connected()];
    const seen = writeUntilRefused(inserting, told, insert);
    await expect.poll(() => told.rows.size, eventually).toBeGreaterThan(20);
    const api = makeUsersUntilRefused(door.iam(), users);
    await expect.poll(() => users.size, eventually).toBeGreaterThan(5);
    fill(disk);
    expect(REFUSALS).toContain(await seen);
    expect(await api).toBe('ServiceUnavailable');
    const changes = await writeUntilRefused(changing, told, change);
    expect(REFUSALS).toContain(changes);
    expect(told.changes).toBeGreaterThan(0);
    expect(REFUSALS).toContain(await writeUntilRefused(another, told, insert));
    figure(
      `disk full, --audit-required ${auditRequired}`,
      `clients see ${await seen} (no room for a row) and ${changes} (none for the log), the API ${await api}`,
    );
    if (auditRequired === 'on') {
      // The latter when PostgreSQL itself cannot start for want of room.
      await expect.poll(() => door.outcome(), eventually).toMatch(/^(58030|57P03)$/);
      await expect.poll(async () => (await door.probe('/readyz')).status, eventually).toBe(503);
    }
  });

  it('stays so without an end of the server, and without an answer that is not true', async () => {
    for (let n = 0; n < 20; n++) {
      const client = door.client();
      const outcome = client.connect().then(() => writeUntilRefused(client, told, change), codeOf);
      expect([...REFUSALS, undefined]).toContain(await outcome);
      await makeUsersUntilRefused(door.iam(), users);
    }
    expect(server.child.exitCode).toBeNull();
  });

  it('is forgotten as soon as there is room, and all that was acknowledged is there', async () => {
    const began = performance.now();
    makeRoom(disk);
    const write = () => door.run(`INSERT INTO kept VALUES (${-++count}, 'x')`).then(() => 'done', codeOf);
    await expect.poll(write, eventually).toBe('done');
    const data = performance.now() - began;
    const make = () =>
      door
        .iam()
        .send(new CreateUserCommand({ UserName: `again-${++count}` }))
        .then(
          () => 'done',
          (error) => error.name,
        );
    await expect.poll(make, eventually).toBe('done');
    figure(
      `disk full, --audit-required ${auditRequired}: room again`,
      `a commit after ${Math.round(data)} ms, the API after ${Math.round(performance.now() - began)} ms`,
    );
    const rows = await door.run('SELECT n FROM kept');
    const there = new Set(rows.map(({ n }) => n));
    expect([...told.rows].filter((n) => !there.has(n))).toEqual([]);
    const [changed] = await door.run('SELECT n FROM changed');
    // The last one may have been committed without an answer.
    expect([told.changes, told.changes + 1]).toContain(changed?.['n']);
    const iam = door.iam();
    for (const UserName of users) await iam.send(new GetUserCommand({ UserName }));
    expect((await door.probe('/readyz')).status).toBe(200);
  });

  it('leaves an audit log that verifies', async () => {
    const { status, stdout, stderr } = await postern(['audit', 'verify'], {}, disk);
    expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
  });
});
