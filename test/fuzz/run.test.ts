import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { run } from '../harness/programs.ts';

const RUN = fileURLToPath(new URL('run.mjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'postern-fuzz-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fuzz = (...args: string[]) => run(process.execPath, [RUN, ...args], {});

describe('npm run fuzz', () => {
  it('explores a target and says how far it came, with the seed that repeats it', async () => {
    const { status, stdout } = await fuzz('--target', 'fields', '--runs', '500', '--seed', '7');
    expect(stdout).toMatch(
      /^fields: 500 inputs, \d+ of them reached something new, nothing found\n500 inputs, seed 7\n$/,
    );
    expect(status).toBe(0);
  });

  it('tries one input again', async () => {
    const input = join(folder, 'input');
    writeFileSync(input, 'no error\xff', 'latin1');
    const { status, stdout } = await fuzz('--target', 'fields', '--input', input);
    expect([status, stdout]).toEqual([0, 'fields: every promise is kept\n']);
  });

  it.each([
    [['--target', 'nothing'], /^--target: nothing is none of startup, /],
    [['--seconds', 'x'], /^--seconds: "x" is no whole number\n$/],
  ])('exits with 2 for %j', async (args, text) => {
    const { status, stderr } = await fuzz(...args);
    expect(status).toBe(2);
    expect(stderr).toMatch(text);
  });
});
