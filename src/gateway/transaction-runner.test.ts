import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { commandComplete, type TransactionStatus } from '../pgwire/messages.ts';
import { classify, type Statement } from '../sql/classify.ts';
import { Parser } from '../sql/parse.ts';
import { Spaces } from '../transactions/space.ts';
import type { Answer } from './answers.ts';
import { ClusterTransactions } from './cluster-transactions.ts';
import type { RunnerPort } from './runner-port.ts';
import type { Step } from './steps.ts';
import { verbOf } from './steps.ts';
import { TransactionRunner } from './transaction-runner.ts';

const parser = await Parser.create();

function stepOf(sql: string): Step {
  const classification = classify(sql, parser);
  const statements: readonly Statement[] = classification.kind === 'statements' ? classification.statements : [];
  const [only] = statements;
  return {
    verb: only && verbOf(only),
    statements,
    tagged: statements,
    bytes: () => Buffer.from(sql),
    size: sql.length,
    holds: sql.length,
    binds: false,
    partial: false,
    uses: [],
  };
}

function makeCluster(): ClusterTransactions {
  const catalog = {
    blockers: async () => [],
    schemaFacts: async () => ({
      functions: new Set<string>(),
      cascading: new Set<string>(),
      parents: new Map(),
      keys: new Map(),
      views: new Set<string>(),
    }),
  };
  return new ClusterTransactions(catalog as never, { allowed: false, rule: undefined }, new Spaces());
}

/** An engine that does whatever it is asked to. */
interface Doing {
  cluster?: ClusterTransactions;
  /** What a COMMIT waits for. */
  commit?: Promise<void>;
  /** What it does with other statements of the client's, if it is not at once. */
  work?: () => Promise<Partial<Answer>>;
}

function startRunner({ cluster = makeCluster(), commit, work }: Doing = {}) {
  const asked: string[] = [];
  const told: string[] = [];
  let status: TransactionStatus = 'I';
  const answer = (sql: string): Answer => {
    asked.push(sql);
    if (sql === 'BEGIN') status = 'T';
    else if (sql === 'COMMIT' || sql === 'ROLLBACK') status = 'I';
    else if (sql.includes('postern_failed')) status = 'E';
    const tag = commandComplete(sql);
    return {
      status,
      error: undefined,
      errorFrame: undefined,
      tags: [sql],
      tagFrames: [],
      values: [],
      digest: sql,
      streamed: false,
      held: [],
      lastTag: tag,
    };
  };
  const port: RunnerPort = {
    get status() {
      return status;
    },
    waiting: work !== undefined,
    streaming: false,
    async ask(step) {
      if (step.verb === 'commit') await commit;
      const done = answer(step.bytes({ refused: new Map(), shadowed: new Set(), again: false }).toString());
      return step.verb ? done : { ...done, ...(await work?.()) };
    },
    silently: async () => answer('again'),
    isPrepared: () => true,
    unprepare: async () => answer('unprepare'),
    request: async (sql) => answer(sql),
    requestBytes: async () => answer('request'),
    deliver: ({ tags, errorFrame }) => void told.push(...(errorFrame ? [errorFrame.toString()] : tags.map(String))),
    tell: (frame) => void told.push(frame.toString('latin1')),
    committed: async () => undefined,
    cancel: async () => undefined,
    conflicted: () => undefined,
  };
  const runner = new TransactionRunner(port, { processId: 1, cluster, now: () => Date.now() });
  const run = (sql: string) =>
    runner.queue(async () => void (await runner.run([stepOf(sql)], { final: true, simple: true })));
  return { run, asked, told, runner };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('takes the locks from a transaction that cannot be rewound when it is as old as one may be', async () => {
  const { run, asked, told, runner } = startRunner();
  await run('BEGIN');
  await run('COPY t FROM STDIN');
  expect(runner.standing).toBe('fixed');
  await vi.advanceTimersByTimeAsync(299_000);
  expect(asked).not.toContain('SELECT postern_failed');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toContain('SELECT postern_failed');
  await run('SELECT 1');
  expect(told.at(-1)).toContain('transaction age limit of 300s exceeded');
  await run('SELECT 2');
  expect(told.at(-1)).toBe('SELECT 2');
  await run('ROLLBACK');
  expect(told.at(-1)).toBe('ROLLBACK');
});

it('says so at COMMIT where nothing came before, and forgets a transaction that has ended in time', async () => {
  const { run, asked, told } = startRunner();
  await run('BEGIN');
  await run('COPY t FROM STDIN');
  await vi.advanceTimersByTimeAsync(301_000);
  await run('COMMIT');
  expect(told.at(-1)).toContain('transaction age limit of 300s exceeded');
  expect(asked.at(-1)).toBe('ROLLBACK');
  await run('BEGIN');
  await run('COPY t FROM STDIN');
  await run('COMMIT');
  const count = asked.length;
  await vi.advanceTimersByTimeAsync(400_000);
  expect(asked.length).toBe(count);
});

// It would have had a snapshot from before that commit, and nobody would have known which rows were locked.
it('makes no snapshot while somebody commits who had locked rows before anybody could mind', async () => {
  const cluster = makeCluster();
  let committed = () => {};
  const commit = new Promise<void>((resolve) => {
    committed = resolve;
  });
  const first = startRunner({ cluster, commit });
  const second = startRunner({ cluster });
  await first.run('BEGIN');
  await first.run('SELECT a FROM t FOR UPDATE');
  const over = first.run('COMMIT');
  await vi.advanceTimersByTimeAsync(10);
  await second.run('BEGIN');
  const read = second.run('SELECT a FROM t');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(second.asked).not.toContain('SELECT a FROM t');
  committed();
  await Promise.all([over, read]);
  expect(first.told.at(-1)).toBe('COMMIT');
  expect(second.told.at(-1)).toBe('SELECT a FROM t');
});

// His request was lost in ours: the statement that he wanted to end was done again.
it('ends what its client cancels while others have it cut off', async () => {
  let stop = (_: Partial<Answer>) => {};
  const work = () =>
    new Promise<Partial<Answer>>((resolve) => {
      stop = resolve;
    });
  const { run, asked, told, runner } = startRunner({ work });
  const done = run('UPDATE t SET a = 1');
  await vi.advanceTimersByTimeAsync(1);
  expect(runner.interrupt()).toBe('done');
  runner.clientCancels();
  expect(runner.interrupt()).toBe('later');
  stop({ error: new Map([['C', '57014']]), errorFrame: Buffer.from('cancelled') });
  await done;
  expect(told).toEqual(['cancelled']);
  expect(asked.filter((sql) => sql.startsWith('UPDATE'))).toHaveLength(1);
});
