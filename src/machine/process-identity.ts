import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Is there a process with this id, whoever owns it? */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * When the process started, as the system tells it; undefined where it does not. With the pid it names one process, also
 * after pids have wrapped around or the system has been started again.
 */
export async function startTime(pid: number): Promise<string | undefined> {
  try {
    if (process.platform !== 'linux') {
      const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)]);
      return stdout.trim() || undefined;
    }
    const [facts, boot] = await Promise.all([procStat(pid), readFile('/proc/sys/kernel/random/boot_id', 'utf8')]);
    return facts && `${facts.startTime}@${boot.trim()}`;
  } catch {
    return undefined;
  }
}

/** What `/proc/PID/stat` says; `startTime` in clock ticks since the system started. Throws when there is no such process. */
export async function procStat(
  pid: number,
): Promise<{ command: string; state: string; startTime: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1');
  // proc(5): the command stands in parentheses and may itself have some; field 3 is the state, field 22 the start.
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (open < 0 || close < open || state === undefined || startTime === undefined) return undefined;
  return { command: text.slice(open + 1, close), state, startTime };
}

/** A line that names this process, for a file that says whose something is. */
export async function ownIdentity(): Promise<string> {
  return `${process.pid} ${await startTime(process.pid)}`;
}

/** The process that such a line names, while it runs; where nobody can tell it from a later one, it is taken for it. */
export async function runningProcess(identity: string): Promise<number | undefined> {
  const [, digits, time] = /^(\d{1,10}) (.{1,80})\n?$/.exec(identity) ?? [];
  const pid = Number(digits);
  if (digits === undefined || pid === 0 || !isAlive(pid)) return undefined;
  const now = await startTime(pid);
  return now === undefined || time === 'undefined' || now === time ? pid : undefined;
}
