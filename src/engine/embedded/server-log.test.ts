import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { expect, it } from 'vitest';
import type { Log } from '../../audit/log.ts';
import { ServerLog } from './server-log.ts';

async function read(chunks: string[]) {
  const said: [string, string][] = [];
  const log = Object.fromEntries(
    (['debug', 'info', 'warn', 'error'] as const).map((level) => [
      level,
      (_: unknown, text: string) => said.push([level, text]),
    ]),
  ) as unknown as Log;
  const stream = new PassThrough();
  const serverLog = new ServerLog(stream, 'one', log);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await finished(stream);
  return { said, tail: serverLog.tail() };
}

const text = `[postmaster] LOG:  starting
[checkpointer] WARNING:  disk is slow
[client backend] ERROR:  duplicate key
[client backend] DETAIL:  Key (secret)=(1) already exists.
\tand a second line
[client backend] FATAL:  Peer authentication failed for user "x"
[autovacuum worker] ERROR:  could not read block
\tof a file
[startup] FATAL:  corrupt
[client backend] PANIC:  could not write
postgres: could not find library`;

it('passes on what the server has to say and drops what clients cause, however the bytes are cut', async () => {
  const whole = await read([text]);
  expect(whole.said).toEqual([
    ['debug', 'starting'],
    ['warn', 'disk is slow'],
    ['debug', 'Peer authentication failed for user "x"'],
    ['error', 'could not read block'],
    ['debug', '\tof a file'],
    ['error', 'corrupt'],
    ['error', 'could not write'],
    ['debug', 'postgres: could not find library'],
  ]);
  expect(whole.tail).not.toContain('secret');
  expect(whole.tail).not.toContain('second line');
  for (let i = 1; i < text.length; i++) expect(await read([text.slice(0, i), text.slice(i)])).toEqual(whole);
  expect(await read([...text])).toEqual(whole);
});

it('keeps the last lines only, and of a long line its beginning', async () => {
  const { tail } = await read([
    ...Array.from({ length: 1000 }, (_, i) => `[postmaster] LOG:  ${i}\n`),
    'x'.repeat(1_000_000),
    'y\n[postmaster] LOG:  last\n',
  ]);
  const lines = tail.split('\n');
  expect(lines).toHaveLength(40);
  expect(lines.at(-1)).toBe('[postmaster] LOG:  last');
  expect(lines.at(-2)).toBe('x'.repeat(2000));
});
