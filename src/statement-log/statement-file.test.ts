import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STATEMENT_FOLDER, StatementFile } from './statement-file.ts';

let folder: string;
let now: Date;
let logged: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-statements-'));
  now = new Date('2026-11-24T23:00:00Z');
  logged = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (settings = { maxSize: 1024 * 1024, keep: 0 }) =>
  new StatementFile(folder, settings, {
    log: pino({ base: null }, { write: (line: string) => void logged.push(JSON.parse(line).msg) }),
    now: () => now,
    after: () => () => undefined,
  });
const entry = (text: string) => ({
  connectionId: 'c-1',
  principal: 'arn:aws:iam::123456789012:user/u',
  role: 'app',
  cluster: 'k',
  text,
  durationMs: 1.23456,
  tags: ['SELECT 1'],
  error: undefined,
});
const path = () => join(folder, STATEMENT_FOLDER);
const names = () => readdirSync(path()).sort();
const lines = () =>
  names().flatMap((name) =>
    readFileSync(join(path(), name), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );

describe('the statement log', () => {
  it('has one JSON object a line, in a folder for its owner only', async () => {
    const file = open();
    file.statement(entry('SELECT ?'));
    await file.flush();
    expect(lines()).toEqual([
      {
        time: '2026-11-24T23:00:00.000Z',
        connectionId: 'c-1',
        principal: 'arn:aws:iam::123456789012:user/u',
        role: 'app',
        cluster: 'k',
        text: 'SELECT ?',
        tags: ['SELECT 1'],
        durationMs: 1.235,
      },
    ]);
    expect(statSync(path()).mode & 0o777).toBe(0o700);
    expect(statSync(join(path(), names()[0] as string)).mode & 0o777).toBe(0o600);
    await file.close();
  });

  it('goes on in a new file by size, by day and at every start, and keeps so many', async () => {
    const file = open({ maxSize: 300, keep: 3 });
    for (let i = 0; i < 4; i++) {
      file.statement(entry(`S${i}`));
      await file.flush();
    }
    expect(names()).toEqual([2, 3, 4].map((n) => `statements-0000000${n}-2026-11-24.jsonl`));
    now = new Date('2026-11-25T00:00:00Z');
    file.statement(entry('next day'));
    await file.close();
    const again = open({ maxSize: 300, keep: 3 });
    again.statement(entry('next start'));
    await again.close();
    expect(names()).toEqual([
      'statements-00000004-2026-11-24.jsonl',
      'statements-00000005-2026-11-25.jsonl',
      'statements-00000006-2026-11-25.jsonl',
    ]);
  });

  it('makes nothing when nothing is told', async () => {
    await open().close();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('loses what cannot be written, says so once, and tells how much', async () => {
    writeFileSync(path(), 'in the way');
    const file = open();
    for (const text of ['a', 'b']) {
      file.statement(entry(text));
      await file.flush();
    }
    expect(file.lost).toBe(2);
    expect(logged).toEqual(['the statement log cannot be written']);
    rmSync(path());
    file.statement(entry('c'));
    await file.close();
    expect(lines()).toEqual([{ time: now.toISOString(), lostLines: 2 }, expect.objectContaining({ text: 'c' })]);
    expect(logged.at(-1)).toBe('the statement log can be written again');
  });

  it('holds no more in memory than its limit', async () => {
    const file = open();
    for (let i = 0; i < 6000; i++) file.statement(entry('x'.repeat(1000)));
    expect(file.lost).toBeGreaterThan(1000);
    await file.close();
    const [first, ...rest] = lines();
    expect(first).toMatchObject({ lostLines: file.lost });
    expect(rest.length).toBe(6000 - file.lost);
  });
});
