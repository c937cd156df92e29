import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parsePostmasterPid } from './postmaster-pid.ts';

const whole = '4711\n/data\n1763900000\n5432\n/run/one\n\n  12345 67890\nready   \n';

it('reads a whole file', () => {
  expect(parsePostmasterPid(whole)).toEqual({
    pid: 4711,
    socketFolder: '/run/one',
    status: 'ready',
  });
});

it('is never ready before the file is whole', () => {
  for (let i = 0; i < whole.indexOf('ready') + 5; i++)
    expect(parsePostmasterPid(whole.slice(0, i))?.status).not.toBe('ready');
});

it.each([
  '',
  '\n',
  '0\n',
  '1\n',
  '-4711\n',
  'x\n',
  '99999999999\n',
  `4711\n${'x'.repeat(20_000)}`,
])('takes no pid from %j', (text) => {
  expect(parsePostmasterPid(text)).toBeUndefined();
});

it('answers for any text', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const pid = parsePostmasterPid(text)?.pid;
      return pid === undefined || (Number.isInteger(pid) && pid > 1);
    }),
  );
});
