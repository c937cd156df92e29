import { describe, expect, it } from 'vitest';
import { cstring, message } from '../pgwire/messages.ts';
import { Space } from '../transactions/space.ts';
import { Prepared, TooMuchPrepared } from './prepared.ts';
import { refusedReading } from './reader.ts';

const MIB = 1024 * 1024;
const none = Buffer.alloc(2);
const reading = refusedReading({ sqlstate: '0A000', message: 'whatever' });
const statement = (name: string, bytes = 5 * MIB) => ({ name, original: ' '.repeat(bytes), reading, types: none });
const bind = (name: string, portal = '') => message('B', cstring(portal), cstring(name), none, none, none);
const close = (name: string) => message('C', Buffer.from('S'), cstring(name));

function prepare(prepared: Prepared, name: string, bytes?: number) {
  const made = statement(name, bytes);
  prepared.parse(made);
  prepared.parseComplete();
  return made;
}
const end = (prepared: Prepared) => prepared.answered(true);

describe('the texts of what a session has prepared', () => {
  it('are no more than 32 MiB, and what is more is refused', () => {
    const prepared = new Prepared(new Space(1_000 * MIB));
    for (let count = 0; count < 6; count++) prepare(prepared, `s${count}`);
    expect(() => prepare(prepared, 's6')).toThrow(TooMuchPrepared);
    expect(new TooMuchPrepared().refusal.sqlstate).toBe('53200');
    end(prepared);
    expect(prepared.bind(bind('s5'))?.name).toBe('s5');
    expect(prepared.bind(bind('s6'))).toBeUndefined();
  });

  it('are no more in all sessions together than they may be', () => {
    const space = new Space(12 * MIB);
    const [first, second] = [new Prepared(space), new Prepared(space)];
    prepare(first, 'a');
    prepare(second, 'a');
    expect(() => prepare(second, 'b')).toThrow(TooMuchPrepared);
    first.end();
    expect(() => prepare(second, 'b')).not.toThrow();
    second.end();
    expect(space.held).toBe(0);
  });

  it.each<[string, (prepared: Prepared) => void]>([
    [
      'are closed',
      (prepared) => {
        prepared.close(close('s'));
        prepared.closeComplete();
      },
    ],
    ['are all deallocated', (prepared) => prepared.clear()],
    ['are prepared again', () => undefined],
  ])('do not count any more when they %s', (_, forget) => {
    const space = new Space(1_000 * MIB);
    const prepared = new Prepared(space);
    for (let count = 0; count < 50; count++) {
      prepare(prepared, 's');
      forget(prepared);
      end(prepared);
    }
    expect(() => prepare(prepared, 'last')).not.toThrow();
    prepared.end();
    expect(space.held).toBe(0);
  });

  it('count as long as a transaction that knew them may do them again', () => {
    const space = new Space(1_000 * MIB);
    const prepared = new Prepared(space);
    prepare(prepared, 's');
    end(prepared);
    prepared.close(close('s'));
    prepared.closeComplete();
    prepared.answered(false);
    expect(space.held).toBeGreaterThan(4 * MIB);
    prepared.answered(true);
    expect(space.held).toBe(0);
  });

  it('are given back where PostgreSQL does not prepare them', () => {
    const space = new Space(1_000 * MIB);
    const prepared = new Prepared(space);
    prepared.parse(statement('s'));
    prepared.close(close('t'));
    prepared.answered(false);
    expect(space.held).toBe(0);
  });
});

it('counts portals, whose names last as long as their transaction', () => {
  const space = new Space(1_000 * MIB);
  const prepared = new Prepared(space);
  prepare(prepared, 's', 1);
  const bindMany = () => {
    for (let count = 0; count < 200_000; count++) prepared.bind(bind('s', `p${count}`));
  };
  expect(bindMany).toThrow(TooMuchPrepared);
  end(prepared);
  expect(space.held).toBe(0);
});

describe('a statement that is done', () => {
  it('is not confused with the next one when it is asked for again', () => {
    const prepared = new Prepared(new Space(1_000 * MIB));
    const [first, second] = [statement('a', 1), statement('b', 1)];
    prepared.parse(first);
    prepared.parse(second);
    const step = {};
    prepared.asks(step);
    prepared.parseComplete();
    expect([prepared.has(first), prepared.has(second)]).toEqual([true, false]);
    prepared.asks(step);
    expect([prepared.has(first), prepared.has(second)]).toEqual([false, false]);
    expect(prepared.unprepared).toEqual([first, second]);
    prepared.parseComplete();
    expect([prepared.has(first), prepared.has(second)]).toEqual([true, false]);
    prepared.asks({});
    prepared.parseComplete();
    expect([prepared.has(first), prepared.has(second)]).toEqual([true, true]);
  });

  it('means the last one that was sent before it is bound, whether or not that is done', () => {
    const prepared = new Prepared(new Space(1_000 * MIB));
    const first = prepare(prepared, 's', 1);
    const second = statement('s', 1);
    prepared.close(close('s'));
    expect(prepared.bind(bind('s'))).toBeUndefined();
    prepared.parse(second);
    expect(prepared.bind(bind('s'))).toBe(second);
    prepared.answered(true);
    expect(prepared.bind(bind('s'))).toBe(first);
  });

  it('is found again by a look at the bytes, unless its name means another', () => {
    const prepared = new Prepared(new Space(1_000 * MIB));
    const first = prepare(prepared, 's', 1);
    end(prepared);
    const frame = bind('s');
    expect(prepared.bindAgain(frame, 0)).toBeUndefined();
    expect(prepared.bind(frame)).toBe(first);
    expect(prepared.bindAgain(frame, 0)).toBe(first);
    expect(prepared.bindAgain(bind('t'), 0)).toBeUndefined();
    expect(prepared.bindAgain(bind('s', 'p'), 0)).toBeUndefined();
    prepare(prepared, 's', 1);
    end(prepared);
    expect(prepared.bindAgain(frame, 0)).toBeUndefined();
  });
});
