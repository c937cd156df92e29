import { type FrameRule, FrameScanner, PASS, READ } from '../pgwire/frame-scanner.ts';
import { blankConstants } from '../sql/blank-constants.ts';
import type { StatementEntry, StatementLog } from './statement-log.ts';

/** What of a session stands in each of its entries. */
export type SessionFacts = Pick<StatementEntry, 'connectionId' | 'principal' | 'role' | 'cluster'>;

const MEBIBYTE = 1024 * 1024;
/**
 * Types of the messages that are read (PostgreSQL manual, "Message Formats"), and up to which length, in bytes. A text must
 * be read whole, as the relay does too; of the others only the beginning matters.
 */
const READ_FROM_CLIENT = {
  Q: 64 * MEBIBYTE,
  P: 64 * MEBIBYTE,
  F: 64 * MEBIBYTE,
  B: MEBIBYTE,
  E: MEBIBYTE,
  S: MEBIBYTE,
};
const READ_FROM_SERVER = { 1: 16, 2: 16, C: MEBIBYTE, I: 16, s: 16, E: MEBIBYTE, Z: 16, S: MEBIBYTE };

/** What is wrong in the stream is the relay's to say: everything goes by, and what matters is read. */
function rules(read: Readonly<Record<string, number>>): Map<string, FrameRule> {
  const all = new Map<string, FrameRule>();
  for (let code = 0; code < 256; code++) {
    const type = String.fromCharCode(code);
    const readUpTo = Object.hasOwn(read, type) ? read[type] : undefined;
    const treatment = readUpTo === undefined ? PASS : READ;
    all.set(type, { treatment, maxLength: 0x7fffffff, ...(readUpTo !== undefined && { readUpTo }) });
  }
  return all;
}
const CLIENT_RULES = rules(READ_FROM_CLIENT);
const SERVER_RULES = rules(READ_FROM_SERVER);

/** In characters, of one session: prepared statements, with their names. The oldest are forgotten beyond that. */
const MAX_PREPARED = 1024 * 1024;
/** The same of portals, of which few are open at once; all are forgotten beyond that. */
const MAX_PORTALS = 1024 * 1024;
/** The same of what the client has asked for ahead; a session that asks for more is not followed any further. */
const MAX_ASKED = 32 * 1024 * 1024;
/** What each of them takes beside its texts, as if it were characters. */
const EACH = 64;
/** Stands for what is not told any more. */
const NOT_FOLLOWED = '(not followed any further: too many messages ahead)';
/** In ReadyForQuery. */
const IDLE = 0x49;
/** Command tags of one string of statements that are told. */
const MAX_TAGS = 100;

/** What the client has asked for and the engine has not answered. */
type Asked =
  | { kind: 'query'; text: string | undefined; began: number; tags: string[]; error: string | undefined }
  | { kind: 'parse'; name: string; text: string; began: number }
  | { kind: 'bind'; portal: string; name: string; began: number }
  | { kind: 'execute'; portal: string; began: number }
  | { kind: 'sync' };

function sizeOf(asked: Asked): number {
  switch (asked.kind) {
    case 'query':
      return EACH + (asked.text?.length ?? 0);
    case 'parse':
      return EACH + asked.name.length + asked.text.length;
    case 'bind':
      return EACH + asked.portal.length + asked.name.length;
    case 'execute':
      return EACH + asked.portal.length;
    case 'sync':
      return EACH;
  }
}

/** What was asked for, the oldest first: a list of which the beginning is taken away, as long as it may be. */
class Requests {
  #list: Asked[] = [];
  #from = 0;
  #size = 0;
  #syncs = 0;

  get size(): number {
    return this.#size;
  }

  get head(): Asked | undefined {
    return this.#list[this.#from];
  }

  /** Whether a Sync is among them. */
  get hasSync(): boolean {
    return this.#syncs > 0;
  }

  add(asked: Asked): void {
    this.#list.push(asked);
    this.#size += sizeOf(asked);
    if (asked.kind === 'sync') this.#syncs++;
  }

  take(): Asked | undefined {
    const head = this.#list[this.#from];
    if (!head) return undefined;
    this.#size -= sizeOf(head);
    if (head.kind === 'sync') this.#syncs--;
    this.#from++;
    // Taken away in one go, since each time costs as much as there is.
    if (this.#from > 1000 && this.#from * 2 > this.#list.length) {
      this.#list = this.#list.slice(this.#from);
      this.#from = 0;
    } else if (this.#from === this.#list.length) {
      this.#list = [];
      this.#from = 0;
    }
    return head;
  }

  /** Up to and including the first of which `ends` is true, which is returned; none are taken where there is none. */
  takeThrough(ends: (asked: Asked) => boolean): Asked | undefined {
    if (!this.#list.some((asked, at) => at >= this.#from && ends(asked))) return undefined;
    for (let taken = this.take(); taken; taken = this.take()) if (ends(taken)) return taken;
    return undefined;
  }

  clear(): void {
    this.#list = [];
    this.#from = 0;
    this.#size = 0;
    this.#syncs = 0;
  }
}

/**
 * Follows the bytes of one session, both ways, as the client sends and gets them, and tells the statement log of each statement that has ended: in the
 * extended protocol each Execute, and what failed before it; of a simple query, the whole string. It only looks on: what it
 * cannot follow is an entry without a text.
 */
export class SessionStatements {
  readonly #log: StatementLog;
  readonly #facts: SessionFacts;
  /** In ms, from any beginning, never backwards. */
  readonly #now: () => number;
  readonly #asked = new Requests();
  readonly #prepared = new Map<string, string>();
  #preparedLength = 0;
  readonly #portals = new Map<string, string | undefined>();
  #portalsLength = 0;
  /** The client's, as the server has reported it last. */
  #encoding: string | undefined;
  /** When the engine ended what it did last: what was sent ahead begins then. */
  #lastEnd = 0;
  /** The text of what was executed last. */
  #executed: string | undefined;
  readonly #fromClient: FrameScanner;
  readonly #fromServer: FrameScanner;
  /** Whether the bytes make no messages. */
  #lost = false;
  /** After an error in the extended protocol everything is skipped up to the next Sync. */
  #skipping = false;

  constructor(log: StatementLog, facts: SessionFacts, now: () => number) {
    this.#log = log;
    this.#facts = facts;
    this.#now = now;
    const forward = () => undefined;
    this.#fromClient = new FrameScanner(CLIENT_RULES, {
      forward,
      read: (type, chunk, start, end) => this.#readClient(type, chunk, start, end),
    });
    this.#fromServer = new FrameScanner(SERVER_RULES, {
      forward,
      read: (type, chunk, start, end) => this.#readServer(type, chunk.subarray(start, end)),
    });
  }

  /** Bytes that the client has sent, whatever becomes of them. They must not change later. */
  clientSent(bytes: Buffer): void {
    this.#follow(this.#fromClient, bytes);
  }

  /** Bytes that the client is sent. */
  clientGot(bytes: Buffer): void {
    this.#follow(this.#fromServer, bytes);
  }

  #follow(scanner: FrameScanner, bytes: Buffer): void {
    if (this.#lost) return;
    try {
      scanner.push(bytes);
    } catch {
      // No messages any more: the relay ends the session. Whoever only looks on must not be in its way.
      this.#lost = true;
    }
  }

  #readClient(type: number, chunk: Buffer, start: number, end: number): undefined {
    const began = this.#now();
    const read = new Strings(chunk, start + 5, end);
    switch (String.fromCharCode(type)) {
      case 'Q':
        this.#ask({
          kind: 'query',
          text: blankConstants(read.next(), this.#encoding),
          began,
          tags: [],
          error: undefined,
        });
        break;
      case 'F':
        this.#ask({ kind: 'query', text: undefined, began, tags: [], error: undefined });
        break;
      case 'P':
        this.#ask({ kind: 'parse', name: read.next(), text: blankConstants(read.next(), this.#encoding), began });
        break;
      case 'B':
        this.#ask({ kind: 'bind', portal: read.next(), name: read.next(), began });
        break;
      case 'E':
        this.#ask({ kind: 'execute', portal: read.next(), began });
        break;
      case 'S':
        this.#ask({ kind: 'sync' });
        break;
    }
    return undefined;
  }

  #ask(asked: Asked): void {
    // The server reads over it, and says nothing of it.
    if (this.#skipping && asked.kind !== 'sync' && !this.#asked.hasSync) return;
    this.#asked.add(asked);
    if (this.#asked.size <= MAX_ASKED) return;
    this.#lost = true;
    this.#asked.clear();
    this.#prepared.clear();
    this.#portals.clear();
    this.#tell(NOT_FOLLOWED, this.#now(), [], undefined);
  }

  #readServer(type: number, frame: Buffer): undefined {
    switch (String.fromCharCode(type)) {
      case '1':
        this.#parsed();
        break;
      case '2':
        this.#bound();
        break;
      case 'C':
        this.#completed(frame.toString('latin1', 5, frame.length - 1));
        break;
      case 'I':
        this.#completed(undefined);
        break;
      case 's':
        this.#completed('PortalSuspended');
        break;
      case 'E':
        this.#failed(sqlstateOf(frame));
        break;
      case 'Z':
        this.#ready();
        // Portals end with their transaction.
        if (frame[5] === IDLE) this.#forgetPortals();
        break;
      case 'S': {
        const [name, value] = frame.toString('latin1', 5).split('\0', 2);
        if (name === 'client_encoding') this.#encoding = value;
        break;
      }
    }
  }

  #parsed(): void {
    const { head } = this.#asked;
    if (head?.kind !== 'parse') return;
    this.#asked.take();
    this.#forget(head.name);
    this.#prepared.set(head.name, head.text);
    this.#preparedLength += EACH + head.name.length + head.text.length;
    for (const name of this.#prepared.keys()) {
      if (this.#preparedLength <= MAX_PREPARED) break;
      this.#forget(name);
    }
  }

  #forget(name: string): void {
    const text = this.#prepared.get(name);
    if (text === undefined) return;
    this.#preparedLength -= EACH + name.length + text.length;
    this.#prepared.delete(name);
  }

  #bound(): void {
    const { head } = this.#asked;
    if (head?.kind !== 'bind') {
      // One too long to be read: any portal may be another now.
      this.#forgetPortals();
      return;
    }
    this.#asked.take();
    this.#portalsLength += EACH + head.portal.length;
    if (this.#portalsLength > MAX_PORTALS) this.#forgetPortals();
    this.#portals.set(head.portal, this.#prepared.get(head.name));
  }

  #forgetPortals(): void {
    this.#portals.clear();
    this.#portalsLength = 0;
  }

  #completed(tag: string | undefined): void {
    const { head } = this.#asked;
    if (head?.kind === 'query') {
      if (tag !== undefined && head.tags.length < MAX_TAGS) head.tags.push(tag);
    } else if (head?.kind === 'execute') {
      this.#asked.take();
      this.#executed = this.#portals.get(head.portal);
      this.#tell(this.#executed, head.began, tag === undefined ? [] : [tag], undefined);
    }
  }

  #failed(error: string): void {
    const { head } = this.#asked;
    switch (head?.kind) {
      case 'query':
        head.error = error;
        return;
      case 'parse':
        this.#tell(head.text, head.began, [], error);
        break;
      case 'bind':
        this.#tell(this.#prepared.get(head.name), head.began, [], error);
        break;
      case 'execute':
        this.#tell(this.#portals.get(head.portal), head.began, [], error);
        break;
      case 'sync':
        // Only the commit was left to do: deferred constraints, conflicts.
        this.#tell(this.#executed, this.#lastEnd, [], error);
        return;
      default:
        return;
    }
    this.#skipping = true;
  }

  #ready(): void {
    const ends = (asked: Asked) => asked.kind === 'sync' || (asked.kind === 'query' && !this.#skipping);
    const done = this.#asked.takeThrough(ends);
    this.#skipping = false;
    if (done?.kind === 'query') this.#tell(done.text, done.began, done.tags, done.error);
  }

  #tell(text: string | undefined, began: number, tags: readonly string[], error: string | undefined): void {
    const now = this.#now();
    const durationMs = now - Math.max(began, this.#lastEnd);
    this.#lastEnd = now;
    this.#log.statement({ ...this.#facts, text, durationMs, tags, error });
  }
}

/** The strings of a message, one after the other, one character a byte; empty where there are none any more. */
class Strings {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  next(): string {
    const found = this.#bytes.indexOf(0, this.#at);
    const end = found < 0 || found > this.#end ? this.#end : found;
    const text = this.#bytes.toString('latin1', this.#at, end);
    this.#at = end + 1;
    return text;
  }
}

/** The field C of an error. */
function sqlstateOf(frame: Buffer): string {
  for (let at = 5; at < frame.length && frame[at] !== 0; ) {
    const end = frame.indexOf(0, at + 1);
    if (end < 0) break;
    if (frame[at] === 0x43) return frame.toString('latin1', at + 1, end);
    at = end + 1;
  }
  return 'XX000';
}
