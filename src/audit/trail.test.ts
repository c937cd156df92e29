import { describe, expect, it } from 'vitest';
import { MAX_LINE, readHead, sealHead } from './chain.ts';
import { TestingFolder } from './testing-folder.ts';
import { cancelEvent, KEY, openTestingTrail, testingClock } from './testing-trail.ts';
import { verifyTrail } from './verify-trail.ts';

const FIRST = 'audit-00000001-2026-11-24.jsonl';
const records = (folder: TestingFolder) =>
  folder
    .text()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line));
const names = (folder: TestingFolder) => records(folder).map(({ eventName }) => eventName);
const problems = async (folder: TestingFolder, key = KEY) => (await verifyTrail(folder, key)).problems;

/** A log of one run with this many events; files of at most `maxSize` bytes. */
async function written(events: number, maxSize = 1024 * 1024): Promise<TestingFolder> {
  const folder = new TestingFolder();
  const trail = await openTestingTrail(folder, { maxSize, required: true });
  for (let number = 1; number <= events; number++) await trail.require(cancelEvent(number), { happened: true });
  await trail.close();
  return folder;
}

describe('the audit log', () => {
  it('is whole as it was written, over several runs and files', async () => {
    const folder = await written(5, 2000);
    const again = await openTestingTrail(folder, { maxSize: 2000 });
    again.record(cancelEvent(6));
    await again.close();
    const verdict = await verifyTrail(folder, KEY);
    expect(verdict).toMatchObject({ problems: [], notes: [], lines: 10, last: { sequence: 10 } });
    expect(verdict.files).toBeGreaterThan(2);
    expect(records(folder).map(({ chain }) => chain.sequence)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(records(folder).filter(({ eventName }) => eventName === 'AuditLogOpened')).toMatchObject([
      { additionalEventData: { state: 'new' } },
      { additionalEventData: { state: 'continued' } },
    ]);
  });

  it('is of no use under another key', async () => {
    expect((await problems(await written(2), Buffer.alloc(32, 8))).length).toBeGreaterThan(0);
  });

  it('goes on in a new file on a new day', async () => {
    const folder = new TestingFolder();
    const clock = testingClock();
    const trail = await openTestingTrail(folder, {}, clock);
    clock.now = new Date('2026-11-25T00:00:01Z');
    trail.record(cancelEvent(1));
    await trail.close();
    expect([...folder.contents.keys()]).toEqual([FIRST, 'audit-00000002-2026-11-25.jsonl']);
    expect(await problems(folder)).toEqual([]);
  });

  it.each([1, 2, 3])('keeps %i files where it should, and knows where the oldest begins', async (keep) => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder, { maxSize: 1500, keep, required: true });
    for (let number = 1; number <= 20; number++) await trail.require(cancelEvent(number), { happened: true });
    await trail.close();
    expect(folder.contents.size).toBe(keep);
    expect(await problems(folder)).toEqual([]);
    const again = folder.copy();
    await (await openTestingTrail(again, { maxSize: 1500, keep })).close();
    expect(await problems(again)).toEqual([]);
    const oldest = [...folder.contents.keys()][0] as string;
    folder.contents.delete(oldest);
    expect((await problems(folder))[0]?.text).toMatch(/^(file \d+ is missing|the end of the log is missing.*)$/);
  });

  it('syncs each batch where it should', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder, { sync: true });
    await trail.close();
    expect(folder.syncs).toBe(2);
  });

  it('waits for others with a line that nobody waits for, and writes all at once', async () => {
    const folder = new TestingFolder();
    const clock = testingClock();
    const trail = await openTestingTrail(folder, {}, clock);
    for (let number = 1; number <= 3; number++) trail.record(cancelEvent(number));
    expect(clock.timers).toMatchObject([{ ms: 50 }]);
    expect(names(folder)).toEqual(['AuditLogOpened']);
    clock.tick();
    await expect.poll(() => names(folder).length).toBe(4);
    await trail.close();
  });

  it('does not have connections that said nothing', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder);
    const facts = { connectionId: 'c', sourceAddress: '::1', reason: 'went away' };
    trail.record({ event: 'login.abandoned', ...facts, silent: true });
    trail.record({ event: 'login.abandoned', ...facts, silent: false });
    await trail.close();
    expect(names(folder)).toEqual(['AuditLogOpened', 'DbConnect', 'AuditLogClosed']);
  });
});

type Edit = (lines: string[], at: number) => string[];
const TAMPERING: Record<string, { edit: Edit; onLast?: false; onFirst?: false }> = {
  'a changed byte': {
    edit: (lines, at) =>
      lines.with(
        at,
        (lines[at] as string)
          .replace('127.0.0', '127.9.0')
          .replace('"state"', '"stale"')
          .replace('AuditLogClosed', 'AuditLogCloset'),
      ),
  },
  'a changed seal': { edit: (lines, at) => lines.with(at, (lines[at] as string).replace(/"seal":"../, '"seal":"zz')) },
  'a removed line': { edit: (lines, at) => lines.toSpliced(at, 1) },
  'a repeated line': { edit: (lines, at) => lines.toSpliced(at, 0, lines[at] as string) },
  'an inserted line': { edit: (lines, at) => lines.toSpliced(at, 0, '{"eventName":"DbConnect"}\n') },
  'an empty line': { edit: (lines, at) => lines.toSpliced(at, 0, '\n') },
  'a line moved down': {
    onLast: false,
    edit: (lines, at) => lines.toSpliced(at, 2, lines[at + 1] as string, lines[at] as string),
  },
  'a line cut short': { edit: (lines, at) => lines.with(at, (lines[at] as string).slice(20)) },
  'all that follows removed': { onFirst: false, edit: (lines, at) => lines.slice(0, at) },
  'a newline removed': { onLast: false, edit: (lines, at) => lines.with(at, (lines[at] as string).trimEnd()) },
};

describe('tampering', () => {
  const LINES = 6;
  const cases = Object.entries(TAMPERING).flatMap(([name, { onLast, onFirst }]) =>
    Array.from({ length: LINES }, (_, at) => [name, at] as const).filter(
      ([, at]) => !(at === LINES - 1 && onLast === false) && !(at === 0 && onFirst === false),
    ),
  );

  it.each(cases)('%s is found at line index %i', async (name, at) => {
    const folder = await written(LINES - 2);
    folder.edit(FIRST, (lines) => (TAMPERING[name] as { edit: Edit }).edit(lines, at));
    const found = await problems(folder);
    expect(found).not.toEqual([]);
    const line = found[0]?.line;
    if (line !== undefined) expect(Math.abs(line - (at + 1))).toBeLessThanOrEqual(1);
    else expect(found[0]?.text).toMatch(/^the end of the log is missing/);
  });

  it.each(cases)('%s at line index %i stays found when a server has gone on', async (name, at) => {
    const folder = await written(LINES - 2);
    folder.edit(FIRST, (lines) => (TAMPERING[name] as { edit: Edit }).edit(lines, at));
    const trail = await openTestingTrail(folder);
    trail.record(cancelEvent(99));
    await trail.close();
    expect(await problems(folder)).not.toEqual([]);
  });

  it('names the file and the line', async () => {
    const folder = await written(4);
    folder.edit(FIRST, (lines) => lines.with(2, (lines[2] as string).replace('connection-2', 'connection-3')));
    expect(await problems(folder)).toEqual([
      { file: FIRST, line: 3, text: 'was changed or inserted: it does not carry its seal' },
    ]);
  });

  it('of files is found: removed, emptied, exchanged', async () => {
    const whole = await written(8, 1500);
    const files = [...whole.contents.keys()];
    expect(files.length).toBeGreaterThan(3);
    for (const name of files) {
      const removed = whole.copy();
      removed.contents.delete(name);
      expect(await problems(removed), name).not.toEqual([]);
      const emptied = whole.copy();
      emptied.edit(name, () => []);
      expect(await problems(emptied), name).not.toEqual([]);
    }
    const more = whole.copy();
    more.others = ['audit-000000099-2026-11-24.jsonl'];
    expect(await problems(more)).toEqual([{ file: more.others[0], text: 'is no file of the audit log' }]);
    const exchanged = whole.copy();
    const [one, two] = files.slice(1, 3).map((name) => exchanged.contents.get(name)) as { bytes: Buffer }[];
    if (one && two) [one.bytes, two.bytes] = [two.bytes, one.bytes];
    expect(await problems(exchanged)).not.toEqual([]);
  });

  it('by setting back everything is found by who has noted down a later line, and by nobody else', async () => {
    const folder = await written(4);
    const older = folder.copy();
    const trail = await openTestingTrail(folder);
    await trail.close();
    const { last } = await verifyTrail(folder, KEY);
    expect((await verifyTrail(folder, KEY, last)).problems).toEqual([]);
    expect(await problems(older)).toEqual([]);
    expect((await verifyTrail(older, KEY, last)).problems).toMatchObject([
      { text: 'the log ends at line 6, before line 8 that was noted down' },
    ]);
    for (let run = 0; run < 2; run++) await (await openTestingTrail(older)).close();
    expect((await verifyTrail(older, KEY, last)).problems).toMatchObject([
      { line: 8, text: 'is another line than was noted down' },
    ]);
  });

  it('with the head is found, and stays found when a server has gone on', async () => {
    const changes: ((folder: TestingFolder) => void)[] = [
      (folder) => {
        folder.head = undefined;
      },
      (folder) => {
        folder.head = '';
      },
      (folder) => {
        folder.head = folder.head?.replace('"sequence":6', '"sequence":5');
      },
      (folder) => {
        const head = readHead(KEY, folder.head as string);
        if (head) folder.head = sealHead(Buffer.alloc(32), { ...head, last: { ...head.last, sequence: 3 } });
        folder.edit(FIRST, (lines) => lines.slice(0, 3));
      },
    ];
    for (const change of changes) {
      const folder = await written(4);
      change(folder);
      expect(await problems(folder)).not.toEqual([]);
      await (await openTestingTrail(folder)).close();
      expect((await problems(folder)).map(({ text }) => text)).toContainEqual(
        expect.stringContaining('a server that was started here found that'),
      );
    }
  });
});

describe('a server that is killed', () => {
  it('may leave a torn line, which the next run closes: no tampering', async () => {
    const folder = await written(3);
    const whole = folder.text();
    const torn = whole.slice(whole.lastIndexOf('{"eventVersion'), -1);
    for (const length of [1, 2, 100, torn.length - 1, torn.length]) {
      const killed = folder.copy();
      killed.edit(FIRST, (lines) => [...lines, torn.slice(0, length)]);
      const before = await verifyTrail(killed, KEY);
      expect(before.problems).toEqual([]);
      expect(before.notes[0]?.text).toMatch(/is torn after \d+ bytes: the server was killed, or is writing it/);
      const trail = await openTestingTrail(killed);
      trail.record(cancelEvent(4));
      await trail.close();
      const after = await verifyTrail(killed, KEY);
      if (length === torn.length)
        expect(after.problems).not.toEqual([]); // a whole line that stands there twice
      else {
        expect(after.problems).toEqual([]);
        expect(after.notes).toMatchObject([
          { file: FIRST, line: 6, text: expect.stringContaining('the line after it says so') },
        ]);
      }
    }
  });

  it('may have written lines that the head does not know yet', async () => {
    const folder = await written(3);
    const longer = folder.copy();
    const trail = await openTestingTrail(longer);
    await trail.close();
    longer.head = folder.head;
    const verdict = await verifyTrail(longer, KEY);
    expect(verdict.problems).toEqual([]);
    expect(verdict.notes).toMatchObject([{ text: expect.stringMatching(/^2 lines came after the head/) }]);
    await (await openTestingTrail(longer)).close();
    expect(await problems(longer)).toEqual([]);
  });

  it('cannot be the excuse for a torn line that the head knows', async () => {
    const folder = await written(3);
    folder.edit(FIRST, (lines) => [...lines.slice(0, -1), (lines.at(-1) as string).slice(0, 50)]);
    expect(await problems(folder)).not.toEqual([]);
    await (await openTestingTrail(folder)).close();
    expect(await problems(folder)).not.toEqual([]);
  });
});

describe('a disk that is full', () => {
  it('loses no line where there is room again in time, and leaves no torn one', async () => {
    const folder = new TestingFolder();
    const clock = testingClock();
    const trail = await openTestingTrail(folder, {}, clock);
    folder.room = 100;
    for (let number = 1; number <= 3; number++) trail.record(cancelEvent(number));
    clock.tick();
    await expect.poll(() => trail.state.failing).toBe(true);
    expect(await problems(folder)).toEqual([]);
    folder.room = Number.POSITIVE_INFINITY;
    clock.tick();
    await expect.poll(() => trail.state.failing).toBe(false);
    await trail.close();
    expect(await problems(folder)).toEqual([]);
    expect(names(folder)).toEqual([
      'AuditLogOpened',
      'AuditLogResumed',
      'CancelRequest',
      'CancelRequest',
      'CancelRequest',
      'AuditLogClosed',
    ]);
    expect(records(folder)[1].additionalEventData).toEqual({ since: clock.now.toISOString(), lostLines: 0 });
  });

  it('is survived when what was half written cannot be cut off at once', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder, { required: true });
    folder.room = 100;
    folder.truncateFails = true;
    const first = trail.require(cancelEvent(1), { happened: true });
    await expect(first).rejects.toMatchObject({ kind: 'audit-unavailable' });
    folder.room = Number.POSITIVE_INFINITY;
    await expect(trail.assertWritable()).rejects.toMatchObject({ kind: 'audit-unavailable' });
    folder.truncateFails = false;
    await trail.assertWritable();
    await trail.close();
    expect(await problems(folder)).toEqual([]);
    expect(names(folder)).toEqual(['AuditLogOpened', 'AuditLogResumed', 'CancelRequest', 'AuditLogClosed']);
  });

  it('costs lines when it lasts, and the next line says how many', async () => {
    const folder = new TestingFolder();
    const clock = testingClock();
    const trail = await openTestingTrail(folder, {}, clock);
    folder.failure = new Error('EIO: i/o error');
    const reason = 'x'.repeat(2000);
    const facts = { connectionId: 'c', sourceAddress: '::1', kind: 'unknown-key', reason, hint: reason } as const;
    for (let number = 0; number < 5000; number++) trail.record({ event: 'login.refused', ...facts });
    expect(trail.state.lost).toBeGreaterThan(1000);
    folder.failure = undefined;
    const { lost } = trail.state;
    await trail.close();
    const told = records(folder).filter(({ eventName }) => eventName === 'AuditLogResumed');
    expect(told).toMatchObject([{ additionalEventData: { lostLines: lost } }]);
    expect(names(folder).filter((name) => name === 'DbConnect').length).toBe(5000 - lost);
    expect(await problems(folder)).toEqual([]);
  });

  it('refuses what must not happen unseen, where the log is required, until there is room', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder, { required: true });
    await trail.assertWritable();
    folder.room = 10;
    const login = trail.require(cancelEvent(1), { happened: false });
    await expect(login).rejects.toMatchObject({ kind: 'audit-unavailable', detail: expect.stringContaining('ENOSPC') });
    const call = trail.require(cancelEvent(2), { happened: true });
    await expect(call).rejects.toMatchObject({ kind: 'audit-unavailable' });
    await expect(trail.assertWritable()).rejects.toMatchObject({ kind: 'audit-unavailable' });
    folder.room = Number.POSITIVE_INFINITY;
    await trail.assertWritable();
    await trail.require(cancelEvent(3), { happened: false });
    await trail.close();
    // The login that was refused did not happen; the call that was answered with an error did.
    const seen = records(folder).flatMap(({ additionalEventData: data }) => data.connectionId ?? []);
    expect(seen).toEqual(['connection-2', 'connection-3']);
  });

  it('is tried again also when nothing waits', async () => {
    const folder = new TestingFolder();
    const clock = testingClock();
    const trail = await openTestingTrail(folder, { required: true }, clock);
    folder.room = 10;
    await expect(trail.require(cancelEvent(1), { happened: false })).rejects.toThrow();
    await expect.poll(() => clock.timers.map(({ ms }) => ms)).toEqual([1000]);
    clock.tick();
    await expect.poll(() => clock.timers.length).toBe(1);
    expect(trail.state.failing).toBe(true);
    folder.room = Number.POSITIVE_INFINITY;
    clock.tick();
    await expect.poll(() => trail.state.failing).toBe(false);
    expect(clock.timers).toEqual([]);
    await trail.close();
    expect(names(folder)).toEqual(['AuditLogOpened', 'AuditLogResumed', 'AuditLogClosed']);
  });

  it('lets all through where the log is not required', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder);
    folder.failure = new Error('EIO');
    await trail.assertWritable();
    await trail.require(cancelEvent(1), { happened: false });
    folder.failure = undefined;
    await trail.close();
    expect(names(folder)).toContain('CancelRequest');
  });

  it('keeps a server from starting where the log is required', async () => {
    const folder = new TestingFolder();
    folder.failure = new Error('EROFS: read-only file system');
    await expect(openTestingTrail(folder, { required: true })).rejects.toThrow('EROFS');
    const trail = await openTestingTrail(folder);
    folder.failure = undefined;
    await trail.close();
    expect(await problems(folder)).toEqual([]);
  });
});

describe('a client that chooses what an event says', () => {
  it('does not make it too long to be written', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder);
    const clusterArn = `arn:aws:dsql:us-east-1:123456789012:cluster/${'x'.repeat(2 * MAX_LINE)}`;
    trail.record({ event: 'session.cancel', connectionId: 'c', sourceAddress: '127.0.0.1', found: true, clusterArn });
    await trail.close();
    expect(trail.state.lost).toBe(0);
    expect(await verifyTrail(folder, KEY)).toMatchObject({ problems: [], lines: 3 });
    expect(folder.text()).toContain('"omitted":true');
  });

  it('does not reach the terminal of who reads it', async () => {
    const folder = new TestingFolder();
    const trail = await openTestingTrail(folder);
    trail.record({
      event: 'session.cancel',
      connectionId: 'c',
      sourceAddress: '127.0.0.1',
      found: true,
      role: 'a\u009b31m\u202e',
    });
    await trail.close();
    expect(await problems(folder)).toEqual([]);
    expect(folder.text()).toContain('a\\u009b31m\\u202e');
  });
});
