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
/** In bytes: PostgreSQL tells longer names apart by so many of their first ones (NAMEDATALEN, less its NUL). */
const MAX_NAME = 63;

/** What a name means to PostgreSQL. */
const key = (name: string): string => (name.length > MAX_NAME ? name.slice(0, MAX_NAME) : name);

/** The name of the statement that a Bind message binds; undefined in one without its terminators. */
export function statementOf(bind: Buffer): string | undefined {
  const name = bind.indexOf(0, 5) + 1;
  const end = bind.indexOf(0, name);
  return name === 0 || end < 0 ? undefined : bind.toString('latin1', name, end);
}

/** A Parse or a Close, of which the engine has not said that it is done. */
type Sent = { does: 'prepares'; statement: PreparedStatement } | { does: 'closes'; name: string | undefined };

/**
 * What a session has prepared and bound, by the messages that it sends and the engine's word that they are done. A message
 * that the engine leaves out after an error has changed nothing.
 */
export class Prepared {
  /** By what PostgreSQL makes of their names. */
  readonly #statements = new Map<string, PreparedStatement>();
  readonly #portals = new Map<string, PreparedStatement>();
  /** In bytes. */
  #texts = 0;
  #last: PreparedStatement | undefined;
  /** Of the request that is collected or answered, in order. */
  readonly #sent: Sent[] = [];
  /** How many of them are done. */
  #done = 0;
  /** What is asked of the engine, and how many were done before. */
  #asked: { work: object; done: number } | undefined;

  parse(statement: PreparedStatement): void {
    this.#sent.push({ does: 'prepares', statement });
  }

  /** A whole Close message. */
  close(frame: Buffer): void {
    const name = frame.toString('latin1', 6, frame.indexOf(0, 6));
    this.#sent.push({ does: 'closes', name: frame[5] === 0x53 ? key(name) : undefined });
  }

  /** The engine is asked for this, maybe once more: what it has confirmed of it, it will confirm again. */
  asks(work: object): void {
    if (this.#asked?.work === work) this.#done = this.#asked.done;
    else this.#asked = { work, done: this.#done };
  }

  /** The engine has prepared the next one. */
  parseComplete(): void {
    const sent = this.#next('prepares');
    if (!sent) return;
    const { statement } = sent;
    if (this.#statements.size >= MAX_NAMES) throw new Error(`a session has more than ${MAX_NAMES} prepared statements`);
    this.forget(statement.name);
    this.#texts += statement.original.length;
    if (this.#texts > MAX_TEXTS) throw new Error(`a session has prepared more than ${MAX_TEXTS} bytes`);
    this.#statements.set(key(statement.name), statement);
  }

  /** The engine has closed the next one. */
  closeComplete(): void {
    const name = this.#next('closes')?.name;
    if (name !== undefined) this.forget(name);
  }

  /** What is sent and not yet prepared, in order. */
  get unprepared(): PreparedStatement[] {
    return this.#sent.slice(this.#done).flatMap((sent) => (sent.does === 'prepares' ? [sent.statement] : []));
  }

  #next<Does extends Sent['does']>(does: Does): Extract<Sent, { does: Does }> | undefined {
    const sent = this.#sent[this.#done++];
    return sent?.does === does ? (sent as Extract<Sent, { does: Does }>) : undefined;
  }

  /** Whether its name still means this one. */
  has(statement: PreparedStatement): boolean {
    return this.#statements.get(key(statement.name)) === statement;
  }

  /** A request was answered: what is not done of it never will be. */
  answered(transactionIsOver: boolean): void {
    this.#sent.length = 0;
    this.#done = 0;
    this.#asked = undefined;
    if (transactionIsOver) this.#portals.clear();
  }

  /** A whole Bind message. Undefined for a statement that there is not. */
  bind(frame: Buffer): PreparedStatement | undefined {
    const name = statementOf(frame);
    if (name === undefined) return undefined;
    const portal = key(frame.toString('latin1', 5, frame.indexOf(0, 5)));
    const statement = this.#find(key(name));
    if (statement) {
      if (this.#portals.size >= MAX_NAMES) throw new Error(`a session has more than ${MAX_NAMES} portals`);
      this.#portals.set(portal, statement);
      this.#last = statement;
    } else {
      this.#portals.delete(portal);
    }
    return statement;
  }

  /** The statement of a name, when all that was sent is done. */
  #find(asked: string): PreparedStatement | undefined {
    for (let at = this.#sent.length - 1; at >= this.#done; at--) {
      const sent = this.#sent[at] as Sent;
      if (sent.does === 'closes') {
        if (sent.name === asked) return undefined;
      } else if (key(sent.statement.name) === asked) {
        return sent.statement;
      }
    }
    return this.#statements.get(asked);
  }

  /**
   * The same for a Bind message in a chunk, where it binds to the unnamed portal what was bound last: so do most clients
   * most of the time, and a look at the bytes is enough. Undefined where it does not.
   */
  bindAgain(chunk: Buffer, start: number): PreparedStatement | undefined {
    const statement = this.#last;
    if (!statement || this.#sent.length > 0) return undefined;
    const { name } = statement;
    const at = start + 6;
    if (chunk[start + 5] !== 0 || chunk[at + name.length] !== 0) return undefined;
    for (let i = 0; i < name.length; i++) if (chunk[at + i] !== name.charCodeAt(i)) return undefined;
    if (!this.has(statement)) return undefined;
    this.#portals.set('', statement);
    return statement;
  }

  /** The statement that an Execute message runs; the protocol has one in each. */
  executed(frame: Buffer): Statement | undefined {
    const end = frame.indexOf(0, 5);
    const classification = this.#portals.get(key(frame.toString('latin1', 5, end)))?.reading.classification;
    return classification?.kind === 'statements' ? classification.statements[0] : undefined;
  }

  /** DEALLOCATE ALL. */
  clear(): void {
    this.#statements.clear();
    this.#texts = 0;
  }

  /** Its name means nothing any more. */
  forget(name: string): void {
    const known = key(name);
    const statement = this.#statements.get(known);
    if (!statement) return;
    this.#texts -= statement.original.length;
    this.#statements.delete(known);
    if (this.#last === statement) this.#last = undefined;
  }
}
