import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer, loadSealer, prepareKeyChange, unfinishedKeyChange } from './sealing.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postern-seal-'));
});
afterEach(() => rm(folder, { recursive: true }));

const load = (env: NodeJS.ProcessEnv = {}) => loadSealer({ folder, env });
const path = () => join(folder, 'seal.key');

describe('the key', () => {
  it('is made once, for its owner only, and opens what it sealed before', async () => {
    const sealed = (await load()).seal('secret', 'context');
    expect((await stat(path())).mode & 0o777).toBe(0o600);
    expect(Buffer.from((await readFile(path(), 'utf8')).trim(), 'base64')).toHaveLength(32);
    expect((await load()).open(sealed, 'context')).toBe('secret');
    expect(await readdir(folder)).toEqual(['seal.key']);
  });

  it('is the same for all who make it at once', async () => {
    const sealers = await Promise.all(Array.from({ length: 8 }, () => load()));
    const sealed = sealers[0]!.seal('secret', 'context');
    expect(sealers.map((sealer) => sealer.open(sealed, 'context'))).toEqual(sealers.map(() => 'secret'));
  });

  it('comes from the environment when it is there, and then leaves no file', async () => {
    const key = Buffer.alloc(32, 7);
    const sealed = (await load({ POSTERN_SEAL_KEY: key.toString('base64') })).seal('secret', 'context');
    expect(createSealer(key).open(sealed, 'context')).toBe('secret');
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([0o640, 0o604, 0o660])('is refused in a file of mode %o', async (mode) => {
    await load();
    await chmod(path(), mode);
    await expect(load()).rejects.toThrow('chmod 600');
  });

  it.each([
    ['too short', Buffer.alloc(31).toString('base64')],
    ['too long', Buffer.alloc(33).toString('base64')],
    ['not base64', '*'.repeat(44)],
    ['hex', Buffer.alloc(32).toString('hex')],
  ])('is refused when it is %s', async (_, text) => {
    await expect(load({ POSTERN_SEAL_KEY: text })).rejects.toThrow('POSTERN_SEAL_KEY must hold 32 bytes');
    await writeFile(path(), text, { mode: 0o600 });
    const failure = await load().catch((error: Error) => error.message);
    expect(failure).toContain('must hold 32 bytes');
    expect(failure).not.toContain(text);
  });

  it('is refused when it is empty: a cut-off file is not a reason to make a new key', async () => {
    await writeFile(path(), '', { mode: 0o600 });
    await expect(load()).rejects.toThrow('must hold 32 bytes');
  });
});

describe('sealed texts', () => {
  const sealer = createSealer(Buffer.alloc(32, 1));

  it('open to what was sealed, in their context only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), fc.string(), (text, context, other) => {
        const sealed = sealer.seal(text, context);
        expect(sealed).toMatch(/^v1\.[A-Za-z0-9_-]+$/);
        expect(sealer.open(sealed, context)).toBe(text);
        if (other !== context) expect(sealer.open(sealed, other)).toBeUndefined();
      }),
    );
  });

  it('do not open when a character is changed, dropped or added anywhere', () => {
    const sealed = sealer.seal('a secret', 'context');
    for (let i = 0; i <= sealed.length; i++) {
      const changed = sealed[i] === 'A' ? 'B' : 'A';
      for (const middle of ['', changed, `${sealed[i] ?? ''}A`, `${sealed[i] ?? ''}=`, `${sealed[i] ?? ''} `]) {
        const tampered = sealed.slice(0, i) + middle + sealed.slice(i + 1);
        if (tampered !== sealed) expect(sealer.open(tampered, 'context')).toBeUndefined();
      }
    }
  });

  it('answer undefined, never an error, for any text', () => {
    fc.assert(fc.property(fc.string(), (text) => sealer.open(text, '') === undefined));
    fc.assert(fc.property(fc.string(), (text) => sealer.open(`v1.${text}`, '') === undefined));
    expect(sealer.open(`v1.${'A'.repeat(10_000_000)}`, '')).toBeUndefined();
  });

  it('differ each time, and do not open under another key', () => {
    expect(sealer.seal('a', 'b')).not.toBe(sealer.seal('a', 'b'));
    expect(createSealer(Buffer.alloc(32, 2)).open(sealer.seal('a', 'b'), 'b')).toBeUndefined();
  });

  it('are refused when too long', () => {
    const text = 'x'.repeat(64 * 1024);
    expect(sealer.open(sealer.seal(text, ''), '')).toBe(text);
    expect(() => sealer.seal(`${text}x`, '')).toThrow(RangeError);
  });
});

it('derives a different key for each purpose, the same every time', () => {
  const sealer = createSealer(Buffer.alloc(32, 1));
  expect(sealer.derive('a')).toHaveLength(32);
  expect(sealer.derive('a').equals(sealer.derive('a'))).toBe(true);
  expect(sealer.derive('a').equals(sealer.derive('b'))).toBe(false);
});

describe('a change of the key', () => {
  it('leaves the old key in use until it is finished, and can be gone on with at any time', async () => {
    const old = await load();
    const sealed = old.seal('secret', 'context');
    const { next, begin } = await prepareKeyChange({ folder, env: {} });
    expect(await readdir(folder)).toEqual(['seal.key']);
    await begin();
    expect((await stat(`${path()}.next`)).mode & 0o777).toBe(0o600);
    expect((await load()).open(sealed, 'context')).toBe('secret');
    const again = await unfinishedKeyChange({ folder, env: {} });
    expect(again?.next.open(next.seal('x', 'y'), 'y')).toBe('x');
    await (await prepareKeyChange({ folder, env: {} })).begin();
    await again?.finish();
    expect(await readdir(folder)).toEqual(['seal.key']);
    expect(await unfinishedKeyChange({ folder, env: {} })).toBeUndefined();
    expect((await load()).open(sealed, 'context')).toBeUndefined();
    expect((await load()).open(next.seal('x', 'y'), 'y')).toBe('x');
  });

  it('from the environment is to another key from there, and touches no file', async () => {
    const [key, other] = [1, 2].map((byte) => Buffer.alloc(32, byte).toString('base64')) as [string, string];
    const env = { POSTERN_SEAL_KEY: key, POSTERN_NEW_SEAL_KEY: other };
    const { next, begin, finish } = await prepareKeyChange({ folder, env });
    await begin();
    await finish();
    expect(createSealer(Buffer.alloc(32, 2)).open(next.seal('x', 'y'), 'y')).toBe('x');
    expect(await readdir(folder)).toEqual([]);
  });

  it.each([
    ['no new key', { POSTERN_SEAL_KEY: Buffer.alloc(32).toString('base64') }, 'must be in POSTERN_NEW_SEAL_KEY'],
    [
      'the same key',
      {
        POSTERN_SEAL_KEY: Buffer.alloc(32).toString('base64'),
        POSTERN_NEW_SEAL_KEY: Buffer.alloc(32).toString('base64'),
      },
      'is the key that is in use',
    ],
    ['a new key for a file', { POSTERN_NEW_SEAL_KEY: Buffer.alloc(32).toString('base64') }, 'this one is in seal.key'],
  ])('is refused with %s', async (_, env, text) => {
    await expect(prepareKeyChange({ folder, env })).rejects.toThrow(text);
  });
});
