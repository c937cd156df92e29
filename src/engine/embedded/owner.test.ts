import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { canReach, chooseOwner } from './owner.ts';

const passwd = `root:x:0:0:root:/root:/bin/bash
toor:x:0:0:root:/root:/bin/bash
nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin
postgres:x:101:104::/var/lib/postgresql:/bin/bash
me:x:1000:1001::/home/me:/bin/sh
broken:x:abc:1
`;
const only = (name: string) =>
  passwd
    .split('\n')
    .filter((line) => line.startsWith(`${name}:`))
    .join('\n');
const rootUser = { uid: 0, gid: 0 };

describe('who runs the server', () => {
  it.each([
    ['an ordinary user does it, whatever passwd says', { uid: 1000, gid: 1001 }, '', undefined, [1000, 1001, false]],
    ['an ordinary user cannot choose another', { uid: 1000, gid: 1001 }, passwd, 'postgres', [1000, 1001, false]],
    ['root takes postgres', rootUser, passwd, undefined, [101, 104, true]],
    ['root takes nobody where there is no postgres', rootUser, only('nobody'), undefined, [65534, 65533, true]],
    ['root takes who is configured', rootUser, passwd, 'me', [1000, 1001, true]],
  ] as const)('%s', (_, self, text, configured, [uid, gid, switched]) => {
    expect(chooseOwner(self, text, configured)).toEqual({ uid, gid, switched });
  });

  it.each([
    ['there is nobody', '', undefined, 'no user postgres or nobody'],
    ['the configured user is not there', passwd, 'other', 'no user other'],
    ['the configured user is root', passwd, 'root', 'is root'],
    ['the configured user is root under another name', passwd, 'toor', 'is root'],
    ['the line is broken', passwd, 'broken', 'no user broken'],
  ])('root is told when %s', (_, text, configured, message) => {
    expect(() => chooseOwner(rootUser, text, configured)).toThrow(message);
  });
});

describe('reach', () => {
  let base: string;
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'postern-reach-'));
    chmodSync(base, 0o755);
    mkdirSync(join(base, 'a', 'b'), { recursive: true });
  });
  afterEach(() => rmSync(base, { recursive: true }));
  const other = { uid: process.geteuid!() + 4711, gid: process.getegid!() + 4711, switched: true };

  it.each([
    [0o755, true],
    [0o711, true],
    [0o700, false],
    [0o754, false],
    [0o710, false],
  ])('past a folder of mode %o: %s', async (mode, reached) => {
    chmodSync(join(base, 'a'), mode);
    expect(await canReach(other, join(base, 'a', 'b'))).toBe(reached);
    expect(await canReach({ ...other, switched: false }, join(base, 'a', 'b'))).toBe(true);
  });

  it.runIf(process.geteuid!() === 0)('is judged by the owner or the group where the folder is theirs', async () => {
    chmodSync(join(base, 'a'), 0o701);
    chownSync(join(base, 'a'), 0, other.gid);
    expect(await canReach(other, join(base, 'a', 'b'))).toBe(false);
    chownSync(join(base, 'a'), other.uid, 0);
    expect(await canReach(other, join(base, 'a', 'b'))).toBe(true);
  });
});
