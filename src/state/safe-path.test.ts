import { chmod, chown, lchown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from './data-folder.ts';
import { unsafeWay } from './safe-path.ts';

const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const isRoot = process.getuid?.() === 0;

let base: string;
beforeEach(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), 'postern-way-')));
});
afterEach(() => rm(base, { recursive: true }));

async function folder(name: string, mode = 0o755): Promise<string> {
  const path = join(base, name);
  await mkdir(path);
  await chmod(path, mode);
  return path;
}

describe('the way to the data directory', () => {
  it('is safe below folders that only their owners change, and where a folder is still missing', async () => {
    const parent = await folder('parent');
    expect(await unsafeWay(join(parent, 'data'), self)).toBeUndefined();
    expect(await unsafeWay(join(parent, 'missing', 'data'), self)).toBeUndefined();
  });

  it.each([
    ['every user can write to', 0o777],
    ['every user can write to', 0o757],
  ])('is refused: %s (%o)', async (text, mode) => {
    const parent = await folder('parent', mode);
    await expect(openDataFolder(join(parent, 'data'))).rejects.toThrow(`${text} ${parent}`);
    await mkdir(join(parent, 'data'), { mode: 0o700 });
    const told: string[] = [];
    await (await openDataFolder(join(parent, 'data'), (why) => told.push(why))).release();
    expect(told).toEqual([`${join(parent, 'data')} is not safe: ${text} ${parent}`]);
    await expect(openDataFolder(join(parent, 'data'))).rejects.toThrow(`${text} ${parent}`);
  });

  it('is safe below a sticky folder, such as the one for temporary files', async () => {
    expect(await unsafeWay(join(await folder('tmp', 0o1777), 'data'), self)).toBeUndefined();
  });

  it('is safe through a link of our own, and refused where the link leads', async () => {
    const [open, shut] = [await folder('open', 0o777), await folder('shut')];
    await symlink(shut, join(base, 'good'));
    await symlink(join(open, 'data'), join(base, 'bad'));
    expect(await unsafeWay(join(base, 'good', 'data'), self)).toBeUndefined();
    await mkdir(join(open, 'data'));
    expect(await unsafeWay(join(base, 'bad'), self)).toBe(`every user can write to ${open}`);
    expect(await unsafeWay(join(base, 'bad', 'data'), self)).toBe(`every user can write to ${open}`);
  });

  it('ends where links lead in a circle', async () => {
    await symlink(join(base, 'b'), join(base, 'a'));
    await symlink(join(base, 'a'), join(base, 'b'));
    expect(await unsafeWay(join(base, 'a', 'data'), self)).toContain('too many symbolic links');
  });

  it.runIf(isRoot)('is refused where another user owns a folder or a link, or another group may write', async () => {
    const user = { uid: 1001, gid: 1001 };
    await chown(base, user.uid, user.gid);
    const [foreign, group] = [await folder('foreign'), await folder('group', 0o775)];
    await chown(foreign, 1002, 1002);
    await chown(group, user.uid, 1002);
    expect(await unsafeWay(join(foreign, 'data'), user)).toBe(`${foreign} belongs to another user (uid 1002)`);
    expect(await unsafeWay(join(group, 'data'), user)).toBe(`other users (group 1002) can write to ${group}`);
    await chown(group, user.uid, user.gid);
    expect(await unsafeWay(join(group, 'data'), user)).toBeUndefined();
    const sticky = await folder('tmp', 0o1777);
    await symlink(base, join(sticky, 'link'));
    await lchown(join(sticky, 'link'), 1002, 1002);
    expect(await unsafeWay(join(sticky, 'link', 'data'), user)).toContain('is a symbolic link of another user');
  });
});

describe('the data directory', () => {
  it('is refused when others could have put something into it, and taken when it is still empty', async () => {
    const used = await folder('used', 0o777);
    await writeFile(join(used, 'planted'), '');
    await expect(openDataFolder(used)).rejects.toThrow(`chmod 700 ${used}`);
    const empty = await folder('empty', 0o777);
    await (await openDataFolder(empty)).release();
  });

  it.runIf(isRoot)('is refused with a link of another user in it', async () => {
    const path = await folder('data', 0o700);
    await symlink('/etc', join(path, 'tls'));
    await (await openDataFolder(path)).release();
    await lchown(join(path, 'tls'), 1002, 1002);
    await expect(openDataFolder(path)).rejects.toThrow('tls is a symbolic link of another user');
  });
});
