import type { Statement } from '../sql/classify.ts';
import type { Reading } from './reading.ts';

export interface PreparedStatement {
  name: string;
  /** One char a byte. */
  original: string;
  reading: Reading;
  /** Of its parameters: what follows the text in Parse. */
  types: Buffer;
}

/** Of each: names that a session may give to prepared statements and portals. */
const MAX_NAMES = 100_000;
/** In bytes: the texts of a session's prepared statements, which stay here for as long as it likes. */
const MAX_TEXTS = 32 * 1024 * 1024;

/** What a session has prepared and bound, by the messages that it sends and the engine's word that it has. */
export class Prepared {
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, PreparedStatement>();
  /** In bytes. */
  #texts = 0;
  #last: PreparedStatement | undefined;
  /** Sent, and not yet confirmed; in order. */
  readonly #sent: PreparedStatement[] = [];

  parse(statement: PreparedStatement): void {
    this.#sent.push(statement);
  }

  /** The engine has prepared the next one. */
  parseComplete(): void {
    const statement = this.#sent.shift();
    if (!statement) return;
    if (this.#statements.size >= MAX_NAMES) throw new Error(`a session has more than ${MAX_NAMES} prepared statements`);
    this.#forget(statement.name);
    this.#texts += statement.original.length;
    if (this.#texts > MAX_TEXTS) throw new Error(`a session has prepared more than ${MAX_TEXTS} bytes`);
    this.#statements.set(statement.name, statement);
  }

  /** Whether its name still means this one. */
  has(statement: PreparedStatement): boolean {
    return this.#statements.get(statement.name) === statement;
  }

  /** A request was answered: what it has not prepared it never will. */
  answered(transactionIsOver: boolean): void {
    this.#sent.length = 0;
    if (transactionIsOver) this.#portals.clear();
  }

  /** A whole Bind message. Undefined for a statement that there is not. */
  bind(frame: Buffer): PreparedStatement | undefined {
    const name = frame.indexOf(0, 5) + 1;
    const end = frame.indexOf(0, name);
    if (name === 0 || end < 0) return undefined;
    const portal = frame.toString('latin1', 5, name - 1);
    const asked = frame.toString('latin1', name, end);
    const statement = this.#sent.findLast((sent) => sent.name === asked) ?? this.#statements.get(asked);
    if (statement) {
      if (this.#portals.size >= MAX_NAMES) throw new Error(`a session has more than ${MAX_NAMES} portals`);
      this.#portals.set(portal, statement);
      this.#last = statement;
    } else {
      this.#portals.delete(portal);
    }
    return statement;
  }

  /**
   * The same for a Bind message in a chunk, where it binds to the unnamed portal what was bound last: so do most clients
   * most of the time, and a look at the bytes is enough. Undefined where it does not.
   */
  bindAgain(chunk: Buffer, start: number): PreparedStatement | undefined {
    const statement = this.#last;
    if (!statement || this.#sent.length > 0 || this.#statements.get(statement.name) !== statement) return undefined;
    const { name } = statement;
    const at = start + 6;
    if (chunk[start + 5] !== 0 || chunk[at + name.length] !== 0) return undefined;
    for (let i = 0; i < name.length; i++) if (chunk[at + i] !== name.charCodeAt(i)) return undefined;
    this.#portals.set('', statement);
    return statement;
  }

  /** The statement that an Execute message runs; the protocol has one in each. */
  executed(frame: Buffer): Statement | undefined {
    const end = frame.indexOf(0, 5);
    const classification = this.#portals.get(frame.toString('latin1', 5, end))?.reading.classification;
    return classification?.kind === 'statements' ? classification.statements[0] : undefined;
  }

  /** DEALLOCATE ALL. */
  clear(): void {
    this.#statements.clear();
    this.#texts = 0;
  }

  /** A whole Close message. */
  close(frame: Buffer): void {
    const name = frame.toString('latin1', 6, frame.indexOf(0, 6));
    if (frame[5] === 0x53) this.#forget(name);
  }

  #forget(name: string): void {
    this.#texts -= this.#statements.get(name)?.original.length ?? 0;
    this.#statements.delete(name);
  }
}
