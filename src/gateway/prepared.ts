import type { Statement } from '../sql/classify.ts';
import { type Refusal, TEXTS } from '../sql/dialect/texts.ts';
import { Share, type Space } from '../transactions/space.ts';
import type { Reading } from './reading.ts';

export interface PreparedStatement {
  name: string;
  /** One char a byte. */
  original: string;
  reading: Reading;
  /** Of its parameters: what follows the text in Parse. */
  types: Buffer;
}

/** In bytes: what a session's prepared statements and portals hold, which stay here for as long as it likes. */
const MAX_PREPARED = 32 * 1024 * 1024;
/** In bytes: one of them by itself. */
const ENTRY = 200;
/** In bytes: what the one unnamed portal may hold uncounted, since it is bound again and again. */
const SMALL = 4 * 1024;
/** In bytes: PostgreSQL tells longer names apart by so many of their first ones (NAMEDATALEN, less its NUL). */
const MAX_NAME = 63;

/** Thrown where a session would hold more than it may. */
export class TooMuchPrepared extends Error {
  readonly refusal: Refusal = TEXTS.preparedMemory(MAX_PREPARED);
}

/** What a name means to PostgreSQL. */
const key = (name: string): string =>
  // A part of a text keeps the whole of it in memory; this is a text of its own.
  name.length > MAX_NAME ? Buffer.from(name.slice(0, MAX_NAME), 'latin1').toString('latin1') : name;

/** The name of the statement that a Bind message binds; undefined in one without its terminators. */
export function statementOf(bind: Buffer): string | undefined {
  const name = bind.indexOf(0, 5) + 1;
  const end = bind.indexOf(0, name);
  return name === 0 || end < 0 ? undefined : bind.toString('latin1', name, end);
}

interface Known {
  statement: PreparedStatement;
  /** What an Execute of it runs; the protocol has one statement in each. */
  runs: Statement | undefined;
  /** What is counted for it, in bytes. */
  bytes: number;
  /** The transaction in which it was prepared. */
  since: number;
}

interface Portal {
  runs: Statement | undefined;
  bytes: number;
}

/** A Parse or a Close, of which the engine may not have said that it is done. */
type Sent = { does: 'prepares'; known: Known } | { does: 'closes'; name: string | undefined };

/**
 * What a session has prepared and bound, by the messages that it sends and the engine's word that they are done. A message
 * that the engine leaves out after an error has changed nothing.
 */
export class Prepared {
  readonly #share: Share;
  /** By what PostgreSQL makes of their names. */
  readonly #statements = new Map<string, Known>();
  readonly #portals = new Map<string, Portal>();
  /** The portal that has no name. */
  #unnamed: Portal = { runs: undefined, bytes: 0 };
  #last: Known | undefined;
  /** Of the request that is collected or answered, in order. */
  readonly #sent: Sent[] = [];
  /** How many of them are done. */
  #done = 0;
  /** What is asked of the engine, and how many were done before. */
  #asked: { work: object; done: number } | undefined;
  #transactions = 0;
  /** In bytes: of what is closed, and may have to be done again in the transaction that knew it. */
  #closed = 0;

  constructor(space: Space) {
    this.#share = new Share(space, MAX_PREPARED);
  }

  /** Throws TooMuchPrepared. */
  parse(statement: PreparedStatement): void {
    const { name, original, types, reading } = statement;
    const { classification } = reading;
    const bytes = ENTRY + name.length + original.length + types.length + reading.weight;
    this.#take(bytes);
    const runs = classification.kind === 'statements' ? classification.statements[0] : undefined;
    this.#sent.push({ does: 'prepares', known: { statement, runs, bytes, since: 0 } });
  }

  /** A whole Close message. Throws TooMuchPrepared. */
  close(frame: Buffer): void {
    const name = frame.toString('latin1', 6, frame.indexOf(0, 6));
    this.#take(ENTRY);
    this.#sent.push({ does: 'closes', name: frame[5] === 0x53 ? key(name) : undefined });
  }

  #take(bytes: number): void {
    if (!this.#share.take(bytes)) throw new TooMuchPrepared();
  }

  /** The engine is asked for this, maybe once more: what it has confirmed of it, it will confirm again. */
  asks(work: object): void {
    if (this.#asked?.work !== work) {
      this.#asked = { work, done: this.#done };
      return;
    }
    for (const sent of this.#sent.slice(this.#asked.done, this.#done)) {
      if (sent.does === 'prepares' && this.has(sent.known.statement)) this.#drop(sent.known);
    }
    this.#done = this.#asked.done;
  }

  /** The engine has prepared the next one. */
  parseComplete(): void {
    const known = this.#next('prepares')?.known;
    if (!known) return;
    this.#forget(key(known.statement.name));
    known.since = this.#transactions;
    this.#statements.set(key(known.statement.name), known);
  }

  /** The engine has closed the next one. */
  closeComplete(): void {
    const name = this.#next('closes')?.name;
    if (name !== undefined) this.#forget(name);
  }

  /** What is sent and not yet prepared, in order. */
  get unprepared(): PreparedStatement[] {
    return this.#sent.slice(this.#done).flatMap((sent) => (sent.does === 'prepares' ? [sent.known.statement] : []));
  }

  #next<Does extends Sent['does']>(does: Does): Extract<Sent, { does: Does }> | undefined {
    const sent = this.#sent[this.#done++];
    return sent?.does === does ? (sent as Extract<Sent, { does: Does }>) : undefined;
  }

  /** Whether its name still means this one. */
  has(statement: PreparedStatement): boolean {
    return this.#statements.get(key(statement.name))?.statement === statement;
  }

  /** A request was answered: what is not done of it never will be. */
  answered(transactionIsOver: boolean): void {
    if (this.#sent.length > 0) this.#settle();
    if (!transactionIsOver) return;
    this.#transactions++;
    if (this.#closed > 0) this.#share.giveBack(this.#closed);
    this.#closed = 0;
    this.#release(this.#unnamed);
    this.#unnamed.runs = undefined;
    if (this.#portals.size === 0) return;
    for (const portal of this.#portals.values()) this.#release(portal);
    this.#portals.clear();
  }

  #settle(): void {
    for (const [at, sent] of this.#sent.entries()) {
      if (sent.does === 'closes') this.#share.giveBack(ENTRY);
      else if (at >= this.#done) this.#share.giveBack(sent.known.bytes);
    }
    this.#sent.length = 0;
    this.#done = 0;
    this.#asked = undefined;
  }

  /** A whole Bind message. Undefined for a statement that there is not. Throws TooMuchPrepared. */
  bind(frame: Buffer): PreparedStatement | undefined {
    const name = statementOf(frame);
    if (name === undefined) return undefined;
    const portal = key(frame.toString('latin1', 5, frame.indexOf(0, 5)));
    const known = this.#find(key(name));
    if (portal === '') this.#bindUnnamed(known);
    else this.#bindNamed(portal, known);
    if (known) this.#last = known;
    return known?.statement;
  }

  #bindUnnamed(known: Known | undefined): void {
    this.#release(this.#unnamed);
    const weight = known?.statement.reading.weight ?? 0;
    const bytes = weight > SMALL ? weight : 0;
    this.#take(bytes);
    this.#unnamed = { runs: known?.runs, bytes };
  }

  #bindNamed(name: string, known: Known | undefined): void {
    const before = this.#portals.get(name);
    if (before) this.#release(before);
    this.#portals.delete(name);
    if (!known) return;
    const bytes = ENTRY + name.length + known.statement.reading.weight;
    this.#take(bytes);
    this.#portals.set(name, { runs: known.runs, bytes });
  }

  #release(portal: Portal): void {
    if (portal.bytes > 0) this.#share.giveBack(portal.bytes);
    portal.bytes = 0;
  }

  /** The statement of a name, when all that was sent is done. */
  #find(asked: string): Known | undefined {
    for (let at = this.#sent.length - 1; at >= this.#done; at--) {
      const sent = this.#sent[at] as Sent;
      if (sent.does === 'closes') {
        if (sent.name === asked) return undefined;
      } else if (key(sent.known.statement.name) === asked) {
        return sent.known;
      }
    }
    return this.#statements.get(asked);
  }

  /**
   * The same for a Bind message in a chunk, where it binds to the unnamed portal what was bound last: so do most clients
   * most of the time, and a look at the bytes is enough. Undefined where it does not.
   */
  bindAgain(chunk: Buffer, start: number): PreparedStatement | undefined {
    const known = this.#last;
    if (!known || this.#sent.length > 0 || this.#unnamed.bytes > 0) return undefined;
    const { name, reading } = known.statement;
    const at = start + 6;
    if (chunk[start + 5] !== 0 || chunk[at + name.length] !== 0) return undefined;
    for (let i = 0; i < name.length; i++) if (chunk[at + i] !== name.charCodeAt(i)) return undefined;
    if (reading.weight > SMALL || !this.has(known.statement)) return undefined;
    this.#unnamed.runs = known.runs;
    return known.statement;
  }

  /** The statement that an Execute message runs. */
  executed(frame: Buffer): Statement | undefined {
    const end = frame.indexOf(0, 5);
    if (end === 5) return this.#unnamed.runs;
    return this.#portals.get(key(frame.toString('latin1', 5, end)))?.runs;
  }

  /** DEALLOCATE ALL. */
  clear(): void {
    for (const name of [...this.#statements.keys()]) this.#forget(name);
  }

  /** The session is over. */
  end(): void {
    this.#share.end();
  }

  /** Its name means nothing any more. */
  #forget(name: string): void {
    const known = this.#statements.get(name);
    if (!known) return;
    this.#drop(known);
    // What is done again in this transaction holds what was prepared before it, and counts what is prepared in it.
    if (known.since === this.#transactions) this.#share.giveBack(known.bytes);
    else this.#closed += known.bytes;
    known.bytes = 0;
  }

  #drop(known: Known): void {
    this.#statements.delete(key(known.statement.name));
    if (this.#last === known) this.#last = undefined;
  }
}
