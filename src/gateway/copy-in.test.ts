import { describe, expect, it } from 'vitest';
import { commandComplete, message, readyForQuery } from '../pgwire/messages.ts';
import { Answers } from './answers.ts';
import { CopyIn, countSyncs } from './copy-in.ts';

const data = message('d', Buffer.from('1\n'));
const done = message('c');
const sync = message('S');
const query = message('Q', Buffer.from('SELECT 1\0'));

function start() {
  const treated: boolean[] = [];
  const probes: Buffer[] = [];
  const copyIn = new CopyIn((passes) => void treated.push(passes));
  const read = (frame: Buffer) => copyIn.read(frame, (bytes) => void probes.push(bytes));
  return { copyIn, read, treated, probes };
}

describe('what a client copies in', () => {
  it('goes on unread from the engine’s word to its end', () => {
    const { copyIn, read, treated } = start();
    expect([copyIn.isOpen, copyIn.isActive]).toEqual([false, false]);
    copyIn.open();
    expect([copyIn.isOpen, copyIn.isActive]).toEqual([true, true]);
    expect(read(done)).toEqual(Buffer.concat([done, message('H')]));
    expect([copyIn.isOpen, copyIn.isActive]).toEqual([false, true]);
    copyIn.answered();
    expect(copyIn.isActive).toBe(false);
    expect(treated).toEqual([true, false, false]);
  });

  it('has Syncs in it that are the engine’s to take for what they are', () => {
    const { copyIn, read } = start();
    copyIn.open();
    expect([copyIn.hasSyncs, read(sync), copyIn.hasSyncs]).toEqual([false, undefined, true]);
    expect(read(message('H'))).toHaveLength(0);
    copyIn.answered();
    expect(copyIn.hasSyncs).toBe(false);
  });

  it('is ended to learn whether a message has its place there', () => {
    const { copyIn, read, probes } = start();
    copyIn.open();
    expect(read(query)).toBe('hold');
    expect(probes).toHaveLength(1);
    expect(copyIn.isProbe(Buffer.from(`M${probes[0]?.toString('latin1', 5)}`))).toBe(true);
    expect(copyIn.isProbe(Buffer.from('Mdivision by zero'))).toBe(false);
  });

  it.each([
    0, 1, 5, 7,
  ])('is made whole for the engine where an error comes %i bytes before the end of a message', (unread) => {
    const { copyIn } = start();
    copyIn.open();
    expect(copyIn.fail(unread)).toHaveLength(unread);
    const rest = Buffer.concat([data.subarray(data.length - unread), query]);
    const parts = [rest.subarray(0, 2), rest.subarray(2, 3), rest.subarray(3)].map((part) => copyIn.rest(part));
    expect(Buffer.concat(parts)).toEqual(query);
  });

  it('is none where an error comes before it has begun', () => {
    const { copyIn } = start();
    expect(copyIn.fail(3)).toHaveLength(0);
    expect(copyIn.rest(query)).toBe(query);
  });
});

it.each([0, 1, 3])('%i Syncs are counted that the engine answers before a question of ours', async (count) => {
  const answers = new Answers(() => undefined);
  const counted = countSyncs(
    answers,
    () => undefined,
    () => undefined,
  );
  const ready = Array.from({ length: count }, () => readyForQuery('E'));
  answers.push(Buffer.concat([...ready, commandComplete('SELECT 1'), readyForQuery('I')]));
  expect(await counted).toBe(count);
  expect(answers.expected).toBe(false);
});
