import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSealer } from '../state/sealing.ts';
import { makeChainKey, makeTrailFolder, readChainKey, resealChainKey } from './trail-folder.ts';

const [one, two, three] = [1, 2, 3].map((byte) => createSealer(Buffer.alloc(32, byte))) as [never, never, never];

let dataDir: string;
let path: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'postern-trail-'));
  path = join(dataDir, 'audit');
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

describe('the files of the audit log', () => {
  it('are read line by line, however long a line is, and a torn end is told', async () => {
    const folder = await makeTrailFolder(dataDir);
    const file = { number: 1, day: '2026-11-24' };
    const long = 'x'.repeat(200_000);
    await writeFile(join(path, 'audit-00000001-2026-11-24.jsonl'), `a\n\n${long}\nb\ntorn`);
    await writeFile(join(path, 'audit-1.jsonl'), 'not one of them');
    expect(await folder.files()).toEqual([file]);
    const lines: [string, boolean][] = [];
    for await (const { bytes, whole } of folder.lines(file, 150_000)) lines.push([bytes.toString(), whole]);
    expect(lines).toEqual([
      ['a', true],
      ['', true],
      [long.slice(0, 150_000), true],
      ['b', true],
      ['torn', false],
    ]);
    expect((await folder.tail(file, 6)).bytes.toString()).toBe('b\ntorn');
    expect((await folder.start(file, 3)).toString()).toBe('a\n\n');
  });

  it('have a key that goes with the sealing key, and is never made anew over one that does not open', async () => {
    expect(await readChainKey(path, one)).toBeUndefined();
    const key = await makeChainKey(path, one);
    await resealChainKey(path, one, two);
    await resealChainKey(path, one, two);
    expect(await readChainKey(path, two)).toEqual(key);
    await expect(readChainKey(path, one)).rejects.toThrow('chain.key is not sealed by the key of the data directory');
    const before = await readFile(join(path, 'chain.key'));
    await resealChainKey(path, three, one);
    expect(await readFile(join(path, 'chain.key'))).toEqual(before);
  });
});
