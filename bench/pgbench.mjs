// One run of pgbench against a target, with what the target and the client itself used meanwhile.
import { cpuOf, run } from './programs.mjs';

/**
 * `args` are pgbench's own. Resolves with transactions a second, the mean time of one in ms, and the CPU time in µs that
 * one cost in the target's process and in pgbench.
 */
export async function pgbench(target, args) {
  const before = cpuOf(target.pid);
  const { stdout, cpu } = await run('pgbench', ['-n', ...args, 'postgres'], { env: target.env });
  const after = cpuOf(target.pid);
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
  const count = number(/transactions actually processed: (\d+)/);
  const failed = number(/number of failed transactions: (\d+)/);
  if (!(count > 0) || failed > 0) throw new Error(`pgbench against ${target.name} failed:\n${stdout}`);
  return {
    tps: number(/tps = ([\d.]+)/),
    time: number(/latency average = ([\d.]+) ms/),
    targetCpu: before === undefined || after === undefined ? undefined : ((after - before) * 1000) / count,
    clientCpu: (cpu * 1000) / count,
  };
}

/** Alternates the targets for some rounds, so that whatever else the machine does meets all of them alike. */
export async function alternate(targets, rounds, measure) {
  const samples = targets.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, target] of targets.entries()) samples[i].push(await measure(target));
  }
  return samples;
}
