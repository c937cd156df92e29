import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What holds file descriptors gives them back when it is over. */
export interface Held {
  /** Twice is once. */
  release(): void;
}

/** For files, PostgreSQL instances and Postern's own sessions in them: whoever is refused a descriptor there cannot go on. */
const OWN = 256;

/**
 * How many file descriptors this process may have: its soft limit, which Node raises to the hard one when it starts.
 * Undefined where there is none, or where the system does not tell.
 */
export async function openFileLimit(): Promise<number | undefined> {
  try {
    if (process.platform === 'linux') return parseLimits(await readFile('/proc/self/limits', 'latin1'));
    // A child has the limit of its parent.
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', 'ulimit -Sn']);
    return number(stdout.trim());
  } catch {
    return undefined;
  }
}

/** The text of /proc/PID/limits (proc(5)). */
export function parseLimits(text: string): number | undefined {
  return number(/^Max open files +(\S+) /m.exec(text)?.[1]);
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * The file descriptors that connections may take, so that some are left for the server itself. Without them it could
 * neither write a new log file nor start a PostgreSQL again, and the system would close connections unseen.
 */
export class OpenFiles {
  readonly #room: number;
  #taken = 0;

  /** `limit` of the whole process; undefined: none. */
  constructor(limit: number | undefined) {
    this.#room = limit === undefined ? Number.POSITIVE_INFINITY : limit - Math.min(OWN, Math.ceil(limit / 4));
  }

  /** How many connections of so many descriptors each there can be, when `spare` are to be left. */
  connections(each: number, spare: number): number {
    return Math.max(0, Math.floor((this.#room - spare) / each));
  }

  /** Takes one; undefined where then fewer than `spare` would be left. */
  take(spare = 0): Held | undefined {
    if (this.#taken + 1 + spare > this.#room) return undefined;
    this.#taken++;
    let released = false;
    return {
      release: () => {
        if (!released) this.#taken--;
        released = true;
      },
    };
  }
}
