import type { Databases } from './settling.ts';

/** A fleet without PostgreSQL: it remembers what it was asked for, and fails or hangs as a test says. */
export class TestingFleet implements Databases {
  readonly awake = new Set<string>();
  /** Databases that were ever made and not removed. */
  readonly made = new Set<string>();
  readonly calls: string[] = [];
  /** What the next calls do instead, oldest first: throw, or never come back, as a process that is killed. */
  readonly trouble: ('fails' | 'hangs')[] = [];

  async wake(database: string): Promise<void> {
    await this.#called(`wake ${database}`);
    this.made.add(database);
    this.awake.add(database);
  }

  isAwake(database: string): boolean {
    return this.awake.has(database);
  }

  async remove(database: string): Promise<void> {
    await this.#called(`remove ${database}`);
    this.made.delete(database);
    this.awake.delete(database);
  }

  async #called(call: string): Promise<void> {
    this.calls.push(call);
    const trouble = this.trouble.shift();
    if (trouble === 'fails') throw new Error(`${call} fails`);
    if (trouble === 'hangs') await new Promise<never>(() => undefined);
  }
}
