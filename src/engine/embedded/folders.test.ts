import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isUnfinished, makeWhole, removeWhole, syncTree, writeWhole } from './folders.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'postern-folders-'));
});
afterEach(() => rmSync(base, { recursive: true }));

const fill = (text: string) => async (draft: string) => {
  mkdirSync(draft);
  writeFileSync(join(draft, 'file'), text);
};

it('makes a folder whole', async () => {
  await makeWhole(join(base, 'a', 'b'), fill('x'));
  expect(readFileSync(join(base, 'a', 'b', 'file'), 'utf8')).toBe('x');
  expect(readdirSync(join(base, 'a'))).toEqual(['b']);
});

it('leaves nothing when making fails half way', async () => {
  const failing = makeWhole(join(base, 'a'), async (draft) => {
    await fill('x')(draft);
    throw new Error('full');
  });
  await expect(failing).rejects.toThrow('full');
  expect(readdirSync(base)).toEqual([]);
});

it('takes what another made first', async () => {
  await makeWhole(join(base, 'a'), async (draft) => {
    await makeWhole(join(base, 'a'), fill('first'));
    await fill('second')(draft);
  });
  expect(readFileSync(join(base, 'a', 'file'), 'utf8')).toBe('first');
  expect(readdirSync(base)).toEqual(['a']);
});

it('removes what a killed maker left long ago, and nothing that may be another one at work', async () => {
  for (const name of ['a.new-old', 'a.new-now', 'b.new-old']) mkdirSync(join(base, name));
  for (const name of ['a.new-old', 'b.new-old']) utimesSync(join(base, name), 0, 0);
  await makeWhole(join(base, 'a'), fill('x'));
  expect(readdirSync(base).sort()).toEqual(['a', 'a.new-now', 'b.new-old']);
});

it('replaces a file, private, and leaves alone one that is the same', async () => {
  const owner = { uid: process.geteuid!(), gid: process.getegid!(), switched: false };
  const path = join(base, 'file');
  await writeWhole(path, 'one', owner, true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const { ino } = statSync(path);
  await writeWhole(path, 'one', owner, true);
  expect(statSync(path).ino).toBe(ino);
  await writeWhole(path, 'two', owner, false);
  expect(readFileSync(path, 'utf8')).toBe('two');
  expect(readdirSync(base)).toEqual(['file']);
});

it('syncs a tree, and says so when it is not there', async () => {
  await fill('x')(join(base, 'a'));
  await syncTree(join(base, 'a'));
  await expect(syncTree(join(base, 'none'))).rejects.toThrow();
});

it('removes a folder whole, also one that is not there', async () => {
  await makeWhole(join(base, 'a'), fill('x'));
  await removeWhole(join(base, 'a'));
  await removeWhole(join(base, 'a'));
  expect(readdirSync(base)).toEqual([]);
});

it.each([
  ['a.new-0123456789ab', true],
  ['a.removing-0123456789ab', true],
  ['a', false],
  ['a.new-one', false],
  ['removing-0123456789ab', false],
])('knows what is unfinished by its name: %s', (name, unfinished) => {
  expect(isUnfinished(name)).toBe(unfinished);
});
