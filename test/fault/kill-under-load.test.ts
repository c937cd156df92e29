import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import { AssumeRoleCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';
import { policy, TRUST_ACCOUNT } from '../harness/identities.ts';
import { postgresBelow, tells } from '../harness/machine.ts';
import { Door } from './door.ts';
import { figure, LIMIT, ROUNDS, randomFrom, SEED, times } from './scale.ts';
import { isMapped, LAST_STAGE, nothingTold, ROLE, stageOf, TABLES, type Work, WritingLoad } from './writing-load.ts';

let folder: string;
let server: StartedServer;
const door = new Door(() => server);
const start = async () => {
  server = await startServerProcess(folder, ['--connection-rate', '0']);
};
const told = nothingTold();
/** Of the IAM role that is mapped and unmapped. */
let credentials: SigningCredentials;

beforeAll(async () => {
  folder = await makeFolder();
  await start();
  await door.run(...TABLES);
  const iam = door.iam();
  await iam.send(new CreateRoleCommand({ RoleName: ROLE, AssumeRolePolicyDocument: TRUST_ACCOUNT }));
  const allowed = { PolicyName: 'connect', PolicyDocument: policy('Allow', 'dsql:DbConnect') };
  await iam.send(new PutRolePolicyCommand({ RoleName: ROLE, ...allowed }));
  const asked = { RoleArn: `arn:aws:iam::123456789012:role/${ROLE}`, RoleSessionName: 'faults' };
  const { Credentials } = await door.sts().send(new AssumeRoleCommand(asked));
  credentials = {
    accessKeyId: Credentials?.AccessKeyId as string,
    secretAccessKey: Credentials?.SecretAccessKey as string,
    sessionToken: Credentials?.SessionToken as string,
  };
});
afterAll(cleanUp);

const place = (name: 'control' | 'cluster') =>
  join(folder, '.postern', ...(name === 'control' ? ['control'] : ['clusters', door.clusterId]));

function postmaster(name: 'control' | 'cluster'): number {
  return Number(readFileSync(join(place(name), 'postmaster.pid'), 'utf8').split('\n')[0]);
}

/** One process of an instance that is not its postmaster: PostgreSQL then ends all its sessions and replays its log. */
function oneOf(name: 'control' | 'cluster', random: () => number): number {
  const others = postgresBelow(place(name)).filter((pid) => pid !== postmaster(name));
  return others[Math.floor(random() * others.length)] ?? postmaster(name);
}

interface Victim {
  kill: (random: () => number) => Promise<void> | void;
  /** What it does not do without it; what goes on meanwhile. */
  serves: readonly Work[];
}

const VICTIMS: Record<string, Victim> = {
  Postern: {
    async kill() {
      await server.stop('SIGKILL');
    },
    serves: ['commit', 'mapping', 'iam'],
  },
  'the cluster’s PostgreSQL': {
    kill: () => void process.kill(postmaster('cluster'), 'SIGKILL'),
    serves: ['commit', 'mapping'],
  },
  'the control PostgreSQL': { kill: () => void process.kill(postmaster('control'), 'SIGKILL'), serves: ['iam'] },
  ...(tells && {
    'a process of the cluster’s PostgreSQL': {
      kill: (random: () => number) => void process.kill(oneOf('cluster', random), 'SIGKILL'),
      serves: ['commit', 'mapping'],
    },
    'a process of the control PostgreSQL': {
      kill: (random: () => number) => void process.kill(oneOf('control', random), 'SIGKILL'),
      serves: ['iam'],
    },
  }),
};
const NAMES = Object.keys(VICTIMS);

/** In ms: so soon is service to be there again. Printed, not asserted: what else the machine does counts too. */
const AIM = 2_000;

/** Acknowledgements before the kill, at most. */
const MOST_BEFORE = 150;
/** Turns of the event loop after the last of them, at most: so the kill meets every step of a client's work. */
const MOST_TURNS = 60;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Kills under a load and waits until all that the victim serves is served again, by itself. In ms. */
async function round(name: string, random: () => number): Promise<number> {
  const victim = VICTIMS[name] as Victim;
  const load = new WritingLoad(door, told);
  await load.acknowledged(1 + Math.floor(random() * MOST_BEFORE));
  await turns(Math.floor(random() * MOST_TURNS));
  let served = Promise.all(victim.serves.map((kind) => load.served(kind)));
  await victim.kill(random);
  if (name === 'Postern') {
    // What starts it again is not ours: the time counts from its start.
    served = Promise.all(victim.serves.map((kind) => load.served(kind)));
    await start();
  }
  const took = Math.max(...(await served));
  await load.stop();
  return took;
}

/** All that clients were told is there, and nothing is there by half. */
async function check(): Promise<void> {
  expect(told.wrong).toEqual([]);
  const rows = await door.run('SELECT writer, n, count(*)::int AS parts FROM written GROUP BY writer, n');
  expect(rows.filter(({ parts }) => parts !== 2)).toEqual([]);
  const there = new Set(rows.map(({ writer, n }) => `${writer}/${n}`));
  expect([...told.commits].filter((commit) => !there.has(commit))).toEqual([]);

  const admin = door.client();
  await admin.connect();
  const mapped = await isMapped(admin);
  await admin.end();
  expect(told.mapped).toContain(mapped);
  expect(await door.outcome(ROLE, credentials)).toBe(mapped ? 'in' : '28000');
}

/** The users of these numbers are as far as the API has said, and their keys are theirs. */
async function checkUsers(numbers: Iterable<number>): Promise<void> {
  for (const n of numbers) {
    const stage = await stageOf(door, n);
    expect(stage, `user ${n}`).toBe(told.users.get(n));
    const key = told.keys.get(n);
    if (!key || stage < LAST_STAGE) continue;
    const sts = door.sts(key);
    const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
    sts.destroy();
    expect(Arn).toBe(`arn:aws:iam::123456789012:user/renamed-${n}`);
  }
}

describe(`processes killed under a load of writes (seed ${SEED})`, () => {
  it(
    `lose nothing that was acknowledged, leave nothing half done, and serve again by themselves: ${ROUNDS} rounds`,
    async () => {
      const random = randomFrom(SEED);
      const took = new Map<string, number[]>(NAMES.map((name) => [name, []]));
      for (let n = 0; n < ROUNDS; n++) {
        // Each in its turn, in an order that the seed decides.
        const name = NAMES[(n + Math.floor(SEED % NAMES.length)) % NAMES.length] as string;
        const before = new Set(told.users.keys());
        const ms = await round(name, random);
        took.get(name)?.push(ms);
        if (ms > AIM) {
          const load = loadavg()[0]?.toFixed(1);
          figure('above the aim', `round ${n}, ${name}: ${Math.round(ms)} ms, when the machine’s load was ${load}`);
        }
        await check();
        await checkUsers([...told.users.keys()].filter((user) => !before.has(user)));
      }
      // What the server has in its memory is what the control database has.
      expect(await server.stop()).toBe(0);
      await start();
      await check();
      await checkUsers(told.users.keys());
      for (const [name, all] of took)
        if (all.length > 0) figure(`killed: ${name}`, `service again: ${times(all, AIM)}`);
      const { commits, users, errors } = told;
      figure(
        'killed: all',
        `${ROUNDS} rounds, seed ${SEED}: ${commits.size} commits and ${users.size} users, none lost`,
      );
      figure('killed: what clients saw', [...errors].map(([code, count]) => `${code} ${count}`).join(', '));
      // Twenty times the aim: other work on the machine must not let it fail, only something that is stuck.
      expect(Math.max(...[...took.values()].flat())).toBeLessThan(40_000);
    },
    LIMIT,
  );

  it('leave an audit log that verifies', async () => {
    const { status, stdout, stderr } = await postern(['audit', 'verify'], {}, folder);
    expect({ status, said: stdout + stderr }).toMatchObject({ status: 0 });
  });
});
