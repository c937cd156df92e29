import { isDeepStrictEqual } from 'node:util';
import type { OptionChange } from '../audit/events.ts';
import { KEYS, kebab, type OptionKey, ROWS } from '../config/option-rows.ts';
import { assertConsistent, type Options } from '../config/options.ts';

export type ServerOptions = Options & { dataDir: string };

/** What other options than those in force would change. */
export interface OptionsChange {
  next: ServerOptions;
  /** What a running server takes, by the names in the manual. */
  changed: readonly OptionChange[];
  /** What differs from the start's and is left for the next start. */
  needRestart: readonly string[];
}

/**
 * The options that a server goes by. Who uses one that a running server takes anew asks for it each time; so all
 * change at one moment, with nothing to bring in line.
 */
export class OptionsInForce {
  readonly #atStart: ServerOptions;
  #current: ServerOptions;

  constructor(options: ServerOptions) {
    this.#atStart = options;
    this.#current = options;
  }

  get current(): ServerOptions {
    return this.#current;
  }

  /** What is made from options, and made anew when they have changed. */
  derived<T>(make: (options: ServerOptions) => T): () => T {
    let source = this.#current;
    let made = make(source);
    return () => {
      if (source !== this.#current) {
        source = this.#current;
        made = make(source);
      }
      return made;
    };
  }

  /** Changes nothing. Throws ConfigurationError when what stays and what changes do not go together. */
  compare(wanted: ServerOptions): OptionsChange {
    const reloadable = KEYS.filter((key) => ROWS[key].reload);
    const next = { ...this.#current, ...Object.fromEntries(reloadable.map((key) => [key, wanted[key]])) };
    assertConsistent(next);
    const changed = reloadable
      .filter((key) => !isDeepStrictEqual(next[key], this.#current[key]))
      .map((key) => ({ option: kebab(key), from: this.#current[key], to: next[key] }));
    const fixed: readonly (OptionKey | 'declare')[] = [...KEYS.filter((key) => !ROWS[key].reload), 'declare'];
    const needRestart = fixed.filter((key) => !isDeepStrictEqual(wanted[key], this.#atStart[key])).map(kebab);
    return { next, changed, needRestart };
  }

  put({ next }: OptionsChange): void {
    this.#current = next;
  }
}
