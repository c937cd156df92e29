import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whether the system tells what processes do: Linux. */
export const tells = process.platform === 'linux';

/** The PostgreSQL processes that work in or below a folder. */
export function postgresBelow(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const place = readlinkSync(`/proc/${pid}/cwd`);
        const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
        return (place === folder || place.startsWith(`${folder}/`)) && /^\d+ \(postgres\) [^Z]/.test(stat);
      } catch {
        // It has gone meanwhile.
        return false;
      }
    });
}

/** Files, sockets and pipes that a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What a process holds in memory, in MiB. */
export function residentMemory(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}
