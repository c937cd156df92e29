import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyFile, forEach } from './copy.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-copy-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a copy', () => {
  it.each([0, 1, 262_144, 700_001])('has the content of the file, %i bytes, and is its owner’s only', async (size) => {
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await writeFile(from, Buffer.alloc(size, 'abc'), { mode: 0o644 });
    const facts = await copyFile(from, to);
    expect(facts.size).toBe(size);
    expect((await readFile(to)).equals(await readFile(from))).toBe(true);
    expect((await stat(to)).mode & 0o777).toBe(0o600);
    expect(await copyFile(to, '', 'read')).toEqual(facts);
  });

  it('takes the place of nothing', async () => {
    await writeFile(join(folder, 'a'), 'a');
    await expect(copyFile(join(folder, 'a'), join(folder, 'a'))).rejects.toMatchObject({ code: 'EEXIST' });
  });
});

describe('work for each', () => {
  it('is done for all, and ended before it is said that one has failed', async () => {
    const done: number[] = [];
    await forEach(
      Array.from({ length: 100 }, (_, i) => i),
      async (i) => {
        await turn();
        done.push(i);
      },
    );
    expect(done).toHaveLength(100);
    let running = 0;
    const failing = forEach(
      Array.from({ length: 100 }, (_, i) => i),
      async (i) => {
        running++;
        await turn();
        running--;
        if (i === 20) throw new Error('twenty');
      },
    );
    await expect(failing).rejects.toThrow('twenty');
    expect(running).toBe(0);
  });
});
