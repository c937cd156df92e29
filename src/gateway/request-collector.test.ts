import { describe, expect, it } from 'vitest';
import { FrameScanner, READ } from '../pgwire/frame-scanner.ts';
import { cstring, int32, message } from '../pgwire/messages.ts';
import { Parser } from '../sql/parse.ts';
import { Space } from '../transactions/space.ts';
import { Prepared } from './prepared.ts';
import { type Reading, readText } from './reading.ts';
import { RequestCollector } from './request-collector.ts';
import { namesPrepared, PLAIN, type Writer } from './steps.ts';

const MIB = 1024 * 1024;
const parser = await Parser.create();
const none = Buffer.alloc(2);
const parse = (sql: string, name = '') => message('P', cstring(name), cstring(sql), none);
const bind = (name = '') => message('B', cstring(''), cstring(name), none, none, none);
const execute = message('E', cstring(''), int32(0));
const run = (sql: string) => [parse(sql), bind(), execute];
const writer: Writer = { text: () => undefined, refusal: ({ sqlstate }) => `refused ${sqlstate}` };

/** A collector behind a scanner, as the relay has it. */
function start({ space = new Space(1_000 * MIB), inBlock = false, slow = false } = {}) {
  const prepared = new Prepared(new Space(1_000 * MIB));
  let read: Reading | undefined;
  const collector = new RequestCollector({
    prepared,
    writer,
    space,
    isInBlock: () => inBlock,
    isAborted: () => false,
    read: (text) => (slow ? read : readText(text, parser)),
    isQuiet: ({ quiet }) => quiet,
    translated: (original) => (original.includes('other') ? original.replace('other', 'told') : undefined),
  });
  const begun: boolean[] = [];
  const scanner = new FrameScanner(
    new Map([...'PBECDH'].map((type) => [type, { treatment: READ, maxLength: 64 * MIB }])),
    {
      forward: (bytes) => void begun.push(collector.add(bytes)),
      read: (...frame) => collector.read(...frame),
    },
  );
  return {
    collector,
    prepared,
    space,
    begun,
    scanner,
    send: (...messages: Buffer[]) => scanner.push(Buffer.concat(messages)),
    finish: (reading: Reading) => {
      read = reading;
      scanner.resume();
    },
  };
}
const bytesOf = (pieces: readonly { bytes: Buffer }[]) => Buffer.concat(pieces.map(({ bytes }) => bytes));

describe('messages that only read', () => {
  it('are kept as they came, in one piece for each chunk', () => {
    const { collector, send } = start();
    send(...run('SELECT 1'));
    send(...run('SELECT 2'));
    expect([collector.isEmpty, collector.mustCare]).toEqual([false, false]);
    const pieces = collector.take();
    expect(pieces).toHaveLength(2);
    expect(bytesOf(pieces)).toEqual(Buffer.concat([...run('SELECT 1'), ...run('SELECT 2')]));
    expect(collector.isEmpty).toBe(true);
  });

  it('have texts in them as the engine is to get them', () => {
    const { collector, send } = start();
    send(...run('SELECT other'));
    expect(bytesOf(collector.take())).toEqual(Buffer.concat(run('SELECT told')));
  });

  it('wait for a text that takes longer', () => {
    const { collector, send, finish, scanner } = start({ slow: true });
    send(...run('SELECT 1'));
    expect(scanner.held).toBe(true);
    finish(readText('SELECT 1', parser));
    expect(bytesOf(collector.take())).toEqual(Buffer.concat(run('SELECT 1')));
  });
});

describe('messages that write', () => {
  it('need care with all that comes with them, until ReadyForQuery', () => {
    const { collector, send } = start();
    send(...run('SELECT 1'), ...run('INSERT INTO t VALUES (1)'));
    expect(collector.mustCare).toBe(true);
    const [step] = collector.takeSteps();
    expect(step?.tagged.map((statement) => statement?.tag)).toEqual([undefined, 'InsertStmt']);
    expect(step?.bytes(PLAIN)).toEqual(
      Buffer.concat([...run('SELECT 1'), ...run('INSERT INTO t VALUES (1)'), message('S')]),
    );
    expect(collector.mustCare).toBe(true);
    collector.answered();
    expect(collector.mustCare).toBe(false);
  });

  it('can be done again with what was prepared before anything special came', () => {
    const { collector, send } = start();
    send(parse('SELECT 1', 'first'));
    send(parse('INSERT INTO t VALUES (1)', 's'), bind('s'), execute);
    expect(collector.takeSteps().map(namesPrepared)).toEqual([['first', 's']]);
  });

  it('know what is bound, though it came in one chunk with what is not looked at', () => {
    const { collector, send } = start();
    send(parse('INSERT INTO t VALUES (1)', 's'), bind('s'));
    const [step] = collector.takeSteps();
    expect(step?.uses.map(({ does }) => does)).toEqual(['prepares', 'binds']);
  });

  it('go no further than COPY … FROM STDIN', () => {
    const { send, begun } = start();
    send(...run('COPY t FROM STDIN'));
    expect(begun).toEqual([false, false, true]);
  });
});

it('a Bind of a statement that is not known fails here', () => {
  const { collector, send } = start();
  send(bind('nosuch'), execute);
  expect(bytesOf(collector.take())).toEqual(
    Buffer.concat([message('P', cstring('postern_refusal'), cstring('refused 26000'), none), execute]),
  );
});

describe('the pieces of a request without an end', () => {
  const big = parse(`SELECT '${'x'.repeat(5 * MIB)}'`);

  it('are refused above 32 MiB, and given back', () => {
    const { collector, send, space } = start();
    for (let count = 0; count < 7; count++) send(big);
    expect(space.held).toBe(0);
    const steps = collector.takeSteps();
    expect(steps.map((step) => step.bytes(PLAIN).toString('latin1'))).toEqual([
      expect.stringContaining('refused 53200'),
    ]);
    collector.answered();
    send(...run('SELECT 1'));
    expect(bytesOf(collector.take())).toEqual(Buffer.concat(run('SELECT 1')));
  });

  it('are refused where all sessions together hold too much, in a block as well', () => {
    const space = new Space(8 * MIB);
    const [first, second] = [start({ space }), start({ space, inBlock: true })];
    first.send(big);
    second.send(big);
    expect(second.collector.takeSteps()[0]?.bytes(PLAIN).includes('refused 53200')).toBe(true);
    first.collector.end();
    expect(space.held).toBe(0);
    second.send(big);
    expect(second.collector.takeSteps()[0]?.bytes(PLAIN).includes('refused')).toBe(false);
    expect(space.held).toBe(0);
  });

  it('count each by itself, however short they are', () => {
    const { collector, send, space } = start({ inBlock: true });
    const flushes = Buffer.concat(Array.from({ length: 10_000 }, () => message('D', Buffer.from('P\0'))));
    for (let count = 0; count < 20; count++) send(flushes);
    expect(space.held).toBe(0);
    expect(collector.takeSteps()[0]?.bytes(PLAIN).includes('refused 53200')).toBe(true);
  });
});
