import { TEXTS } from '../sql/dialect/texts.ts';
import { type Reader, refusedReading } from './reader.ts';
import type { Reading } from './reading.ts';

/** Reads the texts that one session sends, one after the other; who waits for a long one is told when it is read. */
export class SessionTexts {
  readonly #reader: Reader;
  /** A setting with which texts mean what cannot be known. */
  readonly #unreadable: () => string | undefined;
  readonly #done: () => void;
  /** The long text that was given away to be read, and what came of it. */
  #long: { text: string; reading: Reading | undefined } | undefined;

  /** `done`: `read` has an answer now. */
  constructor(reader: Reader, unreadable: () => string | undefined, done: () => void) {
    this.#reader = reader;
    this.#unreadable = unreadable;
    this.#done = done;
  }

  /** One char a byte. Undefined for a text that takes longer: ask again when it is done. */
  read(text: string): Reading | undefined {
    const setting = this.#unreadable();
    if (setting !== undefined) return refusedReading(TEXTS.setting(setting));
    return this.#reader.read(text) ?? this.#readLong(text);
  }

  #readLong(text: string): Reading | undefined {
    if (this.#long?.text !== text) {
      const long = { text, reading: undefined as Reading | undefined };
      this.#long = long;
      this.#reader.readLong(text).then((answer) => {
        long.reading = answer;
        this.#done();
      });
      return undefined;
    }
    const { reading } = this.#long;
    if (reading) this.#long = undefined;
    return reading;
  }
}
