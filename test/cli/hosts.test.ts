import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cleanUp, MAIN, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';

let folder: string;
let server: StartedServer;
let line: string;
beforeAll(async () => {
  folder = await makeFolder();
  server = await startServerProcess(folder);
  line = `127.0.0.1 ${server.environment['POSTERN_CLUSTER_HOSTNAME']}\n`;
});
afterAll(cleanUp);

const hosts = (...args: string[]) => postern(['hosts', ...args], {}, folder);

describe('postern hosts', () => {
  it('prints a line for every cluster, and nothing else', async () => {
    expect(await hosts()).toEqual({ status: 0, stdout: line, stderr: '' });
  });

  it('sets them in a file once, and takes them out again', async () => {
    const file = join(folder, 'hosts');
    writeFileSync(file, '127.0.0.1\tlocalhost\n');
    const set = await hosts('--write', '--file', 'hosts');
    expect(set).toMatchObject({ status: 0, stdout: '', stderr: `postern: ${file}: 1 name set\n` });
    const dataDir = join(folder, '.postern');
    const text = `127.0.0.1\tlocalhost\n# BEGIN postern ${dataDir}\n${line}# END postern ${dataDir}\n`;
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect((await hosts('--write', '--file', 'hosts')).stderr).toBe(`postern: ${file}: 1 name, as it was\n`);
    expect(readFileSync(file, 'utf8')).toBe(text);
    expect(await hosts('--remove', '--file', 'hosts')).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(file, 'utf8')).toBe('127.0.0.1\tlocalhost\n');
  });

  it('takes them out without a server, too', async () => {
    const elsewhere = await makeFolder();
    const text = (owner: string) => `# BEGIN postern ${owner}\n127.0.0.1 x\n# END postern ${owner}\n`;
    writeFileSync(join(elsewhere, 'hosts'), text(join(elsewhere, '.postern')) + text('/else'));
    const { status } = await postern(['hosts', '--remove', '--file', 'hosts'], {}, elsewhere);
    expect(status).toBe(0);
    expect(readFileSync(join(elsewhere, 'hosts'), 'utf8')).toBe(text('/else'));
  });

  const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  // Below a folder that only root may enter nobody else can run it.
  const reaches = spawnSync('test', ['-r', MAIN], user).status === 0;
  it.runIf(reaches)('says who may change a file that this user may not, and leaves it alone', async () => {
    const elsewhere = await makeFolder();
    const file = join(elsewhere, 'hosts');
    const owner = join(elsewhere, '.postern');
    writeFileSync(file, `# BEGIN postern ${owner}\n# END postern ${owner}\n`, { mode: 0o444 });
    chmodSync(elsewhere, 0o555);
    const { status, stderr } = spawnSync(process.execPath, [MAIN, 'hosts', '--remove', '--file', file], {
      cwd: elsewhere,
      encoding: 'utf8',
      ...user,
    });
    chmodSync(elsewhere, 0o700);
    expect(stderr).toBe(
      `postern: ${file}: this user may not change it; as root, name the data directory: --data-dir ${owner}\n`,
    );
    expect(status).toBe(1);
    expect(readFileSync(file, 'utf8')).toContain('# BEGIN');
  });

  it('says that no server runs, and leaves the file alone', async () => {
    const elsewhere = await makeFolder();
    const { status, stderr } = await postern(['hosts', '--write', '--file', 'hosts'], {}, elsewhere);
    expect([status, stderr]).toEqual([1, `postern: no server runs on ${join(elsewhere, '.postern')}\n`]);
    expect(existsSync(join(elsewhere, 'hosts'))).toBe(false);
  });

  it.each([
    [['--write', '--remove'], '--remove: not together with --write'],
    [['--file', 'x'], '--file: only with --write or --remove'],
    [['--wirte'], 'hosts: Unknown option'],
    [['now'], 'hosts: Unexpected argument'],
  ])('refuses wrong usage: %j', async (args, message) => {
    const { status, stderr } = await hosts(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(message);
  });

  // A container's /etc/hosts is mounted by itself, and nothing can be put in its place.
  it.skipIf(!canMount())('writes a file that is a mount of its own in place', async () => {
    const file = join(folder, 'mounted');
    writeFileSync(file, '::1 localhost\n');
    const { ino } = statSync(file);
    const command = `mount --bind '${file}' '${file}' && exec '${process.execPath}' '${MAIN}' hosts --write --file '${file}'`;
    const { status, stderr } = spawnSync('unshare', ['-m', 'sh', '-c', command], { cwd: folder, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, `postern: ${file}: 1 name set\n`]);
    expect(statSync(file).ino).toBe(ino);
    expect(readFileSync(file, 'utf8')).toContain(line);
  });
});

function canMount(): boolean {
  return spawnSync('unshare', ['-m', 'sh', '-c', 'mount --bind /etc/hosts /etc/hosts']).status === 0;
}
