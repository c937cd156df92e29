import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  GetUserCommand,
  ListAccessKeysCommand,
  UpdateUserCommand,
} from '@aws-sdk/client-iam';
import type pg from 'pg';
import type { SigningCredentials } from '../../src/sigv4/presign.ts';
import type { Door } from './door.ts';

export const WRITERS = 3;
/** In ms, between a client's attempts to connect. */
const PATIENCE = 10;

/** What the clients were told, and must find again. */
export interface Told {
  /** Committed transactions: `writer/n`. */
  commits: Set<string>;
  /** Whether the role is mapped, as far as the client knows; both while it does not. */
  mapped: Set<boolean>;
  /** IAM users by their number: how far each has come. */
  users: Map<number, number>;
  keys: Map<number, SigningCredentials>;
  /** What must not be. */
  wrong: string[];
  /** Errors that clients saw, by their code. */
  errors: Map<string, number>;
  next: number;
}

export function nothingTold(): Told {
  return {
    commits: new Set(),
    mapped: new Set([false]),
    users: new Map(),
    keys: new Map(),
    wrong: [],
    errors: new Map(),
    next: 1,
  };
}

export type Work = 'commit' | 'mapping' | 'iam';

/** The role that is mapped and unmapped, and the IAM role that it is mapped to. */
export const ROLE = 'mapped';
export const ARN = 'arn:aws:iam::123456789012:role/mapped';

export const TABLES = [
  'CREATE TABLE written (writer int, n int, part int, PRIMARY KEY (writer, n, part))',
  `CREATE ROLE ${ROLE} WITH LOGIN`,
];

const codeOf = (error: unknown): string => {
  const { code, name, message } = error as { code?: string; name?: string; message?: string };
  return code ?? (name === 'Error' || name === undefined ? (message ?? 'unknown') : name);
};

/**
 * Clients that write and note what they are told: transactions of two rows, AWS IAM GRANT and REVOKE, and IAM users that
 * are made, given a key and renamed. A client that loses its connection makes another, as long as it takes.
 */
export class WritingLoad {
  readonly #door: Door;
  readonly #told: Told;
  readonly #events = new EventEmitter();
  readonly #clients: Promise<void>[];
  #stopped = false;
  #count = 0;

  constructor(door: Door, told: Told) {
    this.#door = door;
    this.#told = told;
    this.#clients = [
      ...Array.from({ length: WRITERS }, (_, writer) =>
        this.#inSession('commit', (client) => this.#write(client, writer)),
      ),
      this.#inSession('mapping', (client) => this.#map(client)),
      this.#manage(),
    ];
  }

  /** Resolves when so many pieces of work were acknowledged from now on. */
  acknowledged(count: number): Promise<void> {
    const end = this.#count + count;
    return this.#until(() => this.#count >= end);
  }

  /** Resolves with the ms from now to the end of the first work of this kind that began later, on a new connection. */
  served(kind: Work): Promise<number> {
    const from = performance.now();
    return new Promise((resolve) => {
      const look = (done: Work, began: number) => {
        if (done !== kind || began < from) return;
        this.#events.off('done', look);
        resolve(performance.now() - from);
      };
      this.#events.on('done', look);
    });
  }

  /** Resolves when every client has ended what it was doing. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#events.emit('done', 'iam', 0);
    await Promise.all(this.#clients);
  }

  #until(check: () => boolean): Promise<void> {
    if (check()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (!check()) return;
        this.#events.off('done', look);
        resolve();
      };
      this.#events.on('done', look);
    });
  }

  #done(kind: Work, began: number): void {
    this.#count++;
    this.#events.emit('done', kind, began);
  }

  #note(error: unknown): void {
    const { errors } = this.#told;
    const code = codeOf(error);
    errors.set(code, (errors.get(code) ?? 0) + 1);
  }

  async #inSession(kind: Work, makeWork: (client: pg.Client) => Promise<() => Promise<void>>): Promise<void> {
    while (!this.#stopped) {
      const began = performance.now();
      const client = this.#door.client();
      try {
        await client.connect();
        const work = await makeWork(client);
        do {
          await work();
          this.#done(kind, began);
        } while (!this.#stopped);
      } catch (error) {
        this.#note(error);
        await pause(PATIENCE);
      } finally {
        await client.end().catch(() => undefined);
      }
    }
  }

  async #write(client: pg.Client, writer: number): Promise<() => Promise<void>> {
    return async () => {
      const n = this.#told.next++;
      try {
        await client.query('BEGIN');
        for (const part of [1, 2]) await client.query('INSERT INTO written VALUES ($1, $2, $3)', [writer, n, part]);
        await client.query('COMMIT');
      } catch (error) {
        // A mapping was changed meanwhile: the transaction is tried again, with another number.
        if (codeOf(error) !== '40001') throw error;
        this.#note(error);
        await client.query('ROLLBACK');
        return;
      }
      this.#told.commits.add(`${writer}/${n}`);
    };
  }

  async #map(client: pg.Client): Promise<() => Promise<void>> {
    let mapped = await isMapped(client);
    if (!this.#told.mapped.has(mapped)) this.#told.wrong.push(`the mapping ${mapped ? 'came back' : 'is lost'}`);
    this.#told.mapped = new Set([mapped]);
    return async () => {
      // Until it is told, it does not know.
      this.#told.mapped = new Set([true, false]);
      await client.query(mapped ? `AWS IAM REVOKE ${ROLE} FROM '${ARN}'` : `AWS IAM GRANT ${ROLE} TO '${ARN}'`);
      mapped = !mapped;
      this.#told.mapped = new Set([mapped]);
      // Every change ends the transactions that are open.
      const written = this.#told.commits.size + WRITERS * 5;
      await this.#until(() => this.#stopped || this.#told.commits.size >= written);
    };
  }

  async #manage(): Promise<void> {
    while (!this.#stopped) {
      const n = this.#told.next++;
      this.#told.users.set(n, 0);
      for (let stage = 0; stage < STAGES.length; stage++) {
        const began = performance.now();
        try {
          await this.#advance(n, stage);
          this.#done('iam', began);
        } catch (error) {
          this.#note(error);
          const found = await this.#findAgain(n);
          if (found !== stage && found !== stage + 1) {
            this.#told.wrong.push(`user ${n} was at stage ${stage} and is at ${found}`);
          }
          this.#told.users.set(n, found);
          break;
        }
        this.#told.users.set(n, stage + 1);
      }
    }
  }

  async #advance(n: number, stage: number): Promise<void> {
    const iam = this.#door.iam();
    try {
      const key = await STAGES[stage]?.(iam, n);
      if (key) this.#told.keys.set(n, key);
    } finally {
      iam.destroy();
    }
  }

  /** As long as nobody answers it is asked again. */
  async #findAgain(n: number): Promise<number> {
    for (;;) {
      try {
        return await stageOf(this.#door, n);
      } catch (error) {
        this.#note(error);
        await pause(PATIENCE);
      }
    }
  }
}

export async function isMapped(client: pg.Client): Promise<boolean> {
  return (await client.query('SELECT arn FROM sys.iam_pg_role_mappings')).rows.some(({ arn }) => arn === ARN);
}

type Iam = ReturnType<Door['iam']>;

/** What happens to an IAM user, one call after the other. The last changes two tables at once. */
const STAGES: readonly ((iam: Iam, n: number) => Promise<SigningCredentials | undefined>)[] = [
  async (iam, n) => {
    await iam.send(new CreateUserCommand({ UserName: `user-${n}`, Tags: [{ Key: 'n', Value: String(n) }] }));
    return undefined;
  },
  async (iam, n) => {
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName: `user-${n}` }));
    return { accessKeyId: AccessKey?.AccessKeyId as string, secretAccessKey: AccessKey?.SecretAccessKey as string };
  },
  async (iam, n) => {
    await iam.send(new UpdateUserCommand({ UserName: `user-${n}`, NewUserName: `renamed-${n}` }));
    return undefined;
  },
];
export const LAST_STAGE = STAGES.length;

/** How far a user has come: -1 for what no call leaves behind. Throws what the API answers when it does not answer. */
export async function stageOf(door: Door, n: number): Promise<number> {
  const iam = door.iam();
  try {
    const [first, renamed] = [await keysOf(iam, `user-${n}`), await keysOf(iam, `renamed-${n}`)];
    if (first === undefined && renamed === undefined) return 0;
    if (first !== undefined && renamed === undefined && first <= 1) return 1 + first;
    return first === undefined && renamed === 1 ? 3 : -1;
  } finally {
    iam.destroy();
  }
}

/** How many keys a user has; undefined where there is no user. */
async function keysOf(iam: Iam, name: string): Promise<number | undefined> {
  try {
    await iam.send(new GetUserCommand({ UserName: name }));
    return (await iam.send(new ListAccessKeysCommand({ UserName: name }))).AccessKeyMetadata?.length;
  } catch (error) {
    if ((error as Error).name === 'NoSuchEntityException') return undefined;
    throw error;
  }
}
