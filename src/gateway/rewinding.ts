import { literal } from '../sql/literal.ts';
import { codeOf } from './answers.ts';
import type { Block } from './block.ts';
import type { RunnerPort } from './runner-port.ts';
import { meanTheSame, PLAIN, type Step, type Writing } from './steps.ts';

/** How often a statement is tried that others have been in the way of. */
export const MAX_ATTEMPTS = 8;
const REWIND = 'ROLLBACK TO SAVEPOINT postern';

const AGAIN: Writing = { ...PLAIN, again: true };

/** How a transaction gives up its locks, and comes back to where its client thinks that it is. */
export class Rewinding {
  readonly #port: RunnerPort;

  constructor(port: RunnerPort) {
    this.#port = port;
  }

  /** Undoes what it has done; its locks go, its snapshot lives. */
  async rewind(block: Block): Promise<void> {
    let { error } = await this.#port.request(REWIND);
    // A client's cancel request has met ours.
    if (error?.get('C') === '57014') ({ error } = await this.#port.request(REWIND));
    if (error) throw new Error(`the transaction cannot be rewound: ${error.get('M')}`);
    block.rewound = true;
    block.shadowed.clear();
  }

  /** Does again what was done; says whether it came out the same. */
  async replay(block: Block): Promise<boolean> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const code = await this.#replayOnce(block);
      if (code === undefined) {
        block.rewound = false;
        return true;
      }
      await this.rewind(block);
      if (code !== '40P01') return false;
    }
    return false;
  }

  #canRepeat(steps: readonly Step[]): boolean {
    return meanTheSame(steps, (statement) => this.#port.isPrepared(statement));
  }

  /** The SQLSTATE of what went wrong; empty where it is another answer. */
  async #replayOnce({ journal }: Block): Promise<string | undefined> {
    if (!this.#canRepeat(journal.entries.map(({ step }) => step))) return '';
    for (const { step, digest } of journal.entries) {
      const answer = await this.#port.silently(step, AGAIN);
      if (answer.error) return codeOf(answer) ?? '';
      if (answer.digest !== digest) return '';
    }
    return undefined;
  }

  /**
   * Gives a transaction that has lost copies of the tables that it writes, of its own and of its snapshot, and does there
   * what it has done: so it sees what it would see until it commits. False where that cannot be.
   */
  async shadow(block: Block, step: Step): Promise<boolean> {
    const { journal, shadowed } = block;
    if (!block.canRewind) return false;
    const past = shadowed.size > 0 ? [] : journal.entries.map((entry) => entry.step);
    if (!this.#canRepeat(past)) return false;
    if (shadowed.size === 0 && !block.rewound) await this.rewind(block);
    const wanted = [...past, step]
      .flatMap(({ statements }) => statements.flatMap(({ targets }) => targets))
      .filter(({ name }) => !shadowed.has(name));
    const tables = new Map(wanted.map((relation) => [relation.name, relation]));
    for (const { schema, name } of tables.values()) {
      const { error } = await this.#port.request(
        `SELECT sys.shadow(${schema === undefined ? 'NULL' : literal(schema)}, ${literal(name)})`,
      );
      if (error) return this.#unshadow(block);
      shadowed.add(name);
    }
    // Statements that were prepared for the tables themselves.
    if (tables.size > 0) await this.#port.request('DISCARD PLANS');
    for (const done of past) {
      const { error } = await this.#port.silently(done, { ...AGAIN, shadowed });
      if (error) return this.#unshadow(block);
    }
    block.rewound = false;
    return true;
  }

  async #unshadow(block: Block): Promise<false> {
    await this.rewind(block);
    return false;
  }
}
