// Running other programs and seeing what they cost.
import { spawn } from 'node:child_process';
import { accessSync, constants, readFileSync, watch } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Aborted when the bench itself is asked to stop; everything that runs ends with it. */
export const stopping = new AbortController();

/** The path of a program, also where only administrators look for it. Undefined when it is not installed. */
export function findProgram(name) {
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** Runs a program to its end. Resolves with its output and its CPU time in ms; rejects when it fails. */
export async function run(program, args, options = {}) {
  // `times` of the shell that waited for it: the only way to a child's CPU time without a library.
  const child = spawn('sh', ['-c', '"$0" "$@"; status=$?; times >&2; exit $status', program, ...args], {
    stdio: [options.input === undefined ? 'ignore' : 'pipe', options.stdout ?? 'pipe', 'pipe'],
    signal: stopping.signal,
    ...options,
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdin?.end(options.input);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const lines = stderr.trimEnd().split('\n');
  const [user, system] = cpuTimes(lines.at(-1) ?? '');
  if (status !== 0) throw new Error(`${program} ended with status ${status}: ${lines.slice(0, -2).join('\n')}`);
  return { stdout, cpu: user + system };
}

/** `0m1.234s 0m0.456s`, in ms. */
function cpuTimes(line) {
  return [...line.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, seconds]) => (minutes * 60 + Number(seconds)) * 1000);
}

/** In ms, what a running process has used so far; undefined where the system does not tell (not Linux). */
export function cpuOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return undefined;
  }
}

/** Ends a process that was started here and waits until it has gone. */
export async function end(child, signal = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
}

/** Waits until `look` is true, which it is asked whenever `path` changes. Ends the process and throws when that ends first. */
export async function waitFor(child, { path, look, log, name }) {
  const over = new AbortController();
  let watcher;
  try {
    await new Promise((resolve, reject) => {
      const check = () => look() && resolve();
      watcher = watch(path, check);
      child.once('error', reject);
      child.once('exit', (code) =>
        reject(new Error(`${name} ended with status ${code}: ${readFileSync(log, 'utf8')}`)),
      );
      stopping.signal.addEventListener('abort', () => reject(new Error('stopped')), { signal: over.signal });
      check();
    });
  } catch (error) {
    await end(child);
    throw error;
  } finally {
    over.abort();
    watcher?.close();
  }
}

/** CPU time of the whole machine so far: what there was and what other virtual machines took of it; in ticks, Linux only. */
export function machineTime() {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'latin1').split('\n', 1)[0].trim().split(/\s+/);
    const [user, nice, system, idle, iowait, irq, softirq, stolen] = ticks.map(Number);
    return { total: user + nice + system + idle + iowait + irq + softirq + stolen, stolen };
  } catch {
    return undefined;
  }
}
