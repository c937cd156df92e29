import { writeFileSync } from 'node:fs';

/** How much of each fault: little in `npm test`, as much as is asked for in `npm run faults`. */
function amount(name: string, usual: number): number {
  const text = process.env[`POSTERN_FAULTS_${name}`];
  if (text === undefined || text === '') return usual;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`POSTERN_FAULTS_${name}: ${JSON.stringify(text)} is no whole number`);
  return Number(text);
}

/** Processes killed under a load. */
export const ROUNDS = amount('ROUNDS', 5);
export const SEED = amount('SEED', Date.now() % 2 ** 31);
/** Connections that stay without a login, of each kind. */
export const HALF_OPEN = amount('HALF_OPEN', 100);
/** Logins at once. */
export const LOGINS = amount('LOGINS', 150);
/** Sessions that do nothing. */
export const SESSIONS = amount('SESSIONS', 100);
/** In MiB: what a client asks for and does not read. */
export const UNREAD = amount('UNREAD', 200);
/** Clients at once that do not read it. */
export const READERS = amount('READERS', 5);
/** In ms, for a whole test: rounds that are asked for take as long as they take. */
export const LIMIT = 120_000 + ROUNDS * 30_000 + (LOGINS + SESSIONS + 2 * HALF_OPEN) * 50;

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What was measured, for docs/reliability.md: `npm run faults` shows it. */
export function figure(name: string, value: string): void {
  const file = process.env['POSTERN_FAULTS_FIGURES'];
  if (file) writeFileSync(file, `${name}: ${value}\n`, { flag: 'a' });
}

/** Median and largest of some times in ms, and how many are longer than they should be. */
export function times(all: readonly number[], aim?: number): string {
  const sorted = [...all].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN);
  const missed = aim === undefined ? '' : `, ${sorted.filter((ms) => ms > aim).length} above ${aim} ms`;
  return `median ${at(0.5)} ms, largest ${at(1)} ms of ${sorted.length}${missed}`;
}
