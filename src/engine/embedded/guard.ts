import { spawn } from 'node:child_process';
import type { Owner } from './owner.ts';

/** $0 is the server, $1 its socket's folder. The wait is bounded: half a minute, as for any fast shutdown. */
const SCRIPT = `
  read -r line && exit
  kill -INT "$0"
  for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    rmdir "$1" 2>/dev/null || [ ! -d "$1" ] && exit
    sleep 1
  done
`;

/**
 * Stops a throw-away server when this process is killed: nobody would start on its data again and find it. A shell
 * waits for a line from us; when it gets the end of input instead, we are gone. Returns how to send it home.
 */
export function guard(pid: number, socketFolder: string, owner: Owner): () => void {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, String(pid), socketFolder], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    // Not to be reached by what kills our process group.
    detached: true,
    // The owner's rights reach no process but the owner's.
    ...(owner.switched ? { uid: owner.uid, gid: owner.gid } : {}),
  });
  // Without a shell there is no guard; the server itself runs as well.
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  shell.unref();
  return () => shell.stdin.end('\n');
}
