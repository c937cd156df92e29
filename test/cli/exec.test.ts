import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, MAIN, makeFolder, postern } from '../harness/cli.ts';

afterAll(cleanUp);

const node = (script: string) => ['--', process.execPath, '-e', script];
const postgresProcesses = (folder: string) => spawnSync('pgrep', ['-f', folder]).stdout.toString();

describe('postern exec', () => {
  it('runs a command with the environment and exits with its status', async () => {
    const script =
      'const e = process.env; console.log(JSON.stringify({ host: e.PGHOST, user: e.PGUSER, url: e.AWS_ENDPOINT_URL })); process.exit(7)';
    const result = await postern(['exec', ...node(script)], {}, await makeFolder());
    expect(result).toMatchObject({ status: 7, stderr: '' });
    expect(JSON.parse(result.stdout)).toEqual({
      host: 'localhost',
      user: 'admin',
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
    });
  });

  it('leaves nothing behind, in the working directory or in the temporary one', async () => {
    const cwd = await makeFolder();
    const TMPDIR = join(cwd, 'tmp');
    mkdirSync(TMPDIR, { mode: 0o1777 });
    const result = await postern(['exec', ...node('')], { TMPDIR }, cwd);
    expect(result).toEqual({ status: 0, stdout: '', stderr: '' });
    expect(readdirSync(cwd)).toEqual(['tmp']);
    expect(readdirSync(TMPDIR)).toEqual([]);
    expect(postgresProcesses(TMPDIR)).toBe('');
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('passes %s on, and leaves nothing behind', async (signal) => {
    const cwd = await makeFolder();
    const TMPDIR = join(cwd, 'tmp');
    mkdirSync(TMPDIR, { mode: 0o1777 });
    const script = `process.on('${signal}', () => { console.log('got it'); process.exit(3) }); console.log('up'); setInterval(() => {}, 1000)`;
    const child = spawn(process.execPath, [MAIN, 'exec', ...node(script)], {
      cwd,
      env: { ...process.env, TMPDIR },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (text) => {
      if (output === '') child.kill(signal);
      output += text;
    });
    const [status] = await once(child, 'exit');
    expect([output, status]).toEqual(['up\ngot it\n', 3]);
    expect(readdirSync(TMPDIR)).toEqual([]);
  });

  it('exits as a shell does for a command that a signal ended, and for one that is not there', async () => {
    const cwd = await makeFolder();
    expect((await postern(['exec', ...node("process.kill(process.pid, 'SIGKILL')")], {}, cwd)).status).toBe(137);
    expect(await postern(['exec', '--', 'no-such-command-here'], {}, cwd)).toMatchObject({
      status: 127,
      stderr: 'postern: no-such-command-here: command not found\n',
    });
  });

  it('uses a folder that it is given, and removes it', async () => {
    const folder = join(await makeFolder(), 'data');
    expect((await postern(['exec', '--data-dir', folder, ...node('')])).status).toBe(0);
    expect(existsSync(folder)).toBe(false);
    mkdirSync(folder);
    writeFileSync(join(folder, 'mine'), '');
    const refused = await postern(['exec', '--data-dir', folder, ...node('')]);
    expect(refused).toMatchObject({
      status: 2,
      stderr: `postern: --data-dir: ${folder} is not empty; exec removes what it uses\n`,
    });
    expect(readdirSync(folder)).toEqual(['mine']);
  });

  it('gives each of two at once its own server', async () => {
    const script = 'console.log(process.env.POSTERN_CLUSTER_ID, process.env.PGPORT)';
    const cwd = await makeFolder();
    const both = await Promise.all([
      postern(['exec', ...node(script)], {}, cwd),
      postern(['exec', ...node(script)], {}, cwd),
    ]);
    expect(both.map((result) => result.status)).toEqual([0, 0]);
    expect(both[0]?.stdout).not.toBe(both[1]?.stdout);
  });
});
