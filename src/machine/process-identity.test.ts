import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, ownIdentity, runningProcess } from './process-identity.ts';

describe('the identity of a process', () => {
  it('leads back to the process while it runs, with and without the end of a line', async () => {
    const own = await ownIdentity();
    expect(own).toMatch(/^\d+ \S/);
    for (const line of [own, `${own}\n`]) expect(await runningProcess(line)).toBe(process.pid);
  });

  it('names nobody when the process has gone', async () => {
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(child, 'exit');
    expect(isAlive(child.pid as number)).toBe(false);
    expect(await runningProcess(`${child.pid} 1@boot`)).toBeUndefined();
  });

  it('is not that of a later process with the same id', async () => {
    expect(await runningProcess(`${process.pid} 1@another-boot`)).toBeUndefined();
  });

  it('is taken for the present process where the start is not known', async () => {
    expect(await runningProcess(`${process.pid} undefined`)).toBe(process.pid);
  });

  it.each(['', '\n', 'x 1', '0 1', '-1 1', '12', `${process.pid}`, '99999999999 1'])('is not %j', async (text) => {
    expect(await runningProcess(text)).toBeUndefined();
  });
});
