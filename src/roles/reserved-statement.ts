/**
 * Recognises the statements that reach for the predefined role `admin` (user guide: it can be neither altered nor granted) or for
 * one of the roles that only the server uses. PostgreSQL enforces both by privileges; this gives the answers that the service's
 * users expect, in PostgreSQL 16's words, and hides the server's roles behind "does not exist".
 *
 * Whatever is not recognised beyond doubt is left to PostgreSQL, syntax errors included.
 */
import { Lexer, type LexerOptions } from '../sql/lexer.ts';
import { RESERVED_WORDS } from '../sql/reserved-words.ts';
import { type StatementRange, splitStatements } from '../sql/statements.ts';
import { readName, readString, SqlErrorThrown } from './statement-reader.ts';

export interface ReservedStatement extends StatementRange {
  sqlstate: string;
  message: string;
}

type Refusal = Pick<ReservedStatement, 'sqlstate' | 'message'>;

export interface Session extends LexerOptions {
  /** Who CURRENT_USER, CURRENT_ROLE and SESSION_USER are. */
  role: string;
}

const ROLE_WORDS = ['role', 'user', 'group'] as const;
const ADMIN = 'admin';

function denied(message: string): Refusal {
  return { sqlstate: '42501', message };
}

/** The reader of one statement: its methods take tokens and answer with names, or with a refusal at once. */
class RoleStatement {
  readonly #lexer: Lexer;
  readonly #session: Session;
  readonly #hidden: ReadonlySet<string>;

  constructor(sql: string, session: Session, hidden: ReadonlySet<string>) {
    this.#lexer = new Lexer(sql, session);
    this.#lexer.nextSignificant();
    this.#session = session;
    this.#hidden = hidden;
  }

  #take(...words: readonly string[]): string | undefined {
    const word = words.find((candidate) => this.#lexer.isWord(candidate));
    if (word !== undefined) this.#lexer.nextSignificant();
    return word;
  }

  #takeMark(mark: string): boolean {
    const found = this.#lexer.isMark(mark);
    if (found) this.#lexer.nextSignificant();
    return found;
  }

  #role(): string | undefined {
    if (this.#take('current_user', 'current_role', 'session_user') !== undefined) return this.#session.role;
    return readName(this.#lexer, RESERVED_WORDS);
  }

  /** Names between commas, each perhaps after GROUP. */
  #roles(): string[] {
    const names: string[] = [];
    do {
      this.#take('group');
      const name = this.#role();
      if (name === undefined) break;
      names.push(name);
    } while (this.#takeMark(','));
    return names;
  }

  #hiddenAmong(names: readonly (string | undefined)[], sqlstate = '42704'): Refusal | undefined {
    const name = names.find((candidate) => candidate !== undefined && this.#hidden.has(candidate));
    return name === undefined ? undefined : { sqlstate, message: `role "${name}" does not exist` };
  }

  /** The server's roles first, since they are not to be told from unknown ones; then what is said of admin. */
  #refuse(names: readonly (string | undefined)[], ofAdmin: string): Refusal | undefined {
    return this.#hiddenAmong(names) ?? (names.includes(ADMIN) ? denied(ofAdmin) : undefined);
  }

  /** Skips to one of the words outside parentheses and takes it; undefined at the end. */
  #seek(...words: readonly string[]): string | undefined {
    let depth = 0;
    for (; this.#lexer.kind !== 'end'; this.#lexer.nextSignificant()) {
      if (this.#lexer.isMark('(')) depth++;
      else if (this.#lexer.isMark(')')) depth--;
      else if (depth === 0) {
        const word = this.#take(...words);
        if (word !== undefined) return word;
      }
    }
    return undefined;
  }

  read(): Refusal | undefined {
    switch (this.#take('alter', 'drop', 'grant', 'revoke', 'create', 'set', 'comment', 'security', 'reassign')) {
      case 'alter':
        return this.#alter();
      case 'drop':
        return this.#drop();
      case 'grant':
        return this.#grant('grant', 'to');
      case 'revoke':
        return this.#grant('revoke', 'from');
      case 'create':
        return this.#create();
      case 'set':
        return this.#set();
      case 'comment':
        return this.#describe();
      case 'security':
        return this.#take('label') === undefined ? undefined : this.#label();
      case 'reassign':
        return this.#reassign();
      default:
        return undefined;
    }
  }

  /** CREATE, ALTER and DROP USER MAPPING are about foreign servers. */
  #isMapping(name: string | undefined): boolean {
    return name === 'mapping' && (this.#lexer.isWord('for') || this.#lexer.isWord('if'));
  }

  #alter(): Refusal | undefined {
    const kind = this.#take(...ROLE_WORDS);
    if (kind === undefined) return this.#alterOther();
    const name = this.#role();
    if (this.#isMapping(name)) return undefined;
    if (this.#take('rename') !== undefined) return this.#refuse([name], 'permission denied to rename role');
    const refusal = this.#refuse([name], 'permission denied to alter role');
    if (refusal !== undefined || kind !== 'group') return refusal;
    return this.#take('add', 'drop') !== undefined && this.#take('user') !== undefined
      ? this.#hiddenAmong(this.#roles())
      : undefined;
  }

  #alterOther(): Refusal | undefined {
    if (this.#take('default') !== undefined) {
      const forWord = this.#seek('for', 'grant', 'revoke');
      if (forWord !== 'for' || this.#take('role', 'user') === undefined) return undefined;
      return this.#hiddenAmong(this.#roles());
    }
    if (this.#seek('owner') === undefined || this.#take('to') === undefined) return undefined;
    return this.#hiddenAmong([this.#role()]);
  }

  #drop(): Refusal | undefined {
    if (this.#take('owned') !== undefined) {
      return this.#take('by') === undefined
        ? undefined
        : this.#refuse(this.#roles(), 'permission denied to drop objects');
    }
    if (this.#take(...ROLE_WORDS) === undefined) return undefined;
    if (this.#take('if') !== undefined && this.#take('exists') === undefined) return undefined;
    const names = this.#roles();
    return this.#isMapping(names[0]) ? undefined : this.#refuse(names, 'permission denied to drop role');
  }

  #reassign(): Refusal | undefined {
    if (this.#take('owned') === undefined || this.#take('by') === undefined) return undefined;
    const from = this.#refuse(this.#roles(), 'permission denied to reassign objects');
    return from ?? (this.#take('to') === undefined ? undefined : this.#hiddenAmong([this.#role()]));
  }

  /** Of privileges (… ON … TO), or of roles: GRANT a, b TO c. Who becomes a member may be admin. */
  #grant(verb: 'grant' | 'revoke', to: 'to' | 'from'): Refusal | undefined {
    if (verb === 'revoke') this.#takeOptionFor();
    const granted: string[] = [];
    let ofRoles = true;
    while (this.#lexer.kind !== 'end' && !this.#lexer.isWord(to)) {
      if (this.#take('on') !== undefined) {
        ofRoles = false;
        if (this.#seek(to) === undefined) return undefined;
        break;
      }
      const name = this.#role();
      if (name === undefined) this.#lexer.nextSignificant();
      else granted.push(name);
    }
    if (ofRoles && this.#take(to) === undefined) return undefined;
    const members = this.#roles();
    const grantor = this.#seek('granted') !== undefined && this.#take('by') !== undefined ? this.#role() : undefined;
    const hidden = this.#hiddenAmong([...members, grantor]);
    return hidden ?? (ofRoles ? this.#refuse(granted, `permission denied to ${verb} role "admin"`) : undefined);
  }

  /** ADMIN OPTION FOR is no role. (A role that is called `admin` is followed by a comma or FROM.) */
  #takeOptionFor(): void {
    const ahead = new Lexer(this.#lexer.sql.slice(this.#lexer.end), this.#session);
    ahead.nextSignificant();
    if (!ahead.isWord('option')) return;
    this.#lexer.nextSignificant();
    this.#take('option');
    this.#take('for');
  }

  #create(): Refusal | undefined {
    if (this.#take('schema') !== undefined) {
      return this.#seek('authorization') === undefined ? undefined : this.#hiddenAmong([this.#role()]);
    }
    if (this.#take(...ROLE_WORDS) === undefined) return undefined;
    const name = this.#role();
    if (name === undefined || this.#isMapping(name)) return undefined;
    let refusal: Refusal | undefined;
    while (refusal === undefined) {
      const option = this.#seek('in', 'role', 'user', 'admin');
      if (option === undefined) return undefined;
      if (option === 'in' && this.#take('role', 'group') !== undefined) {
        refusal = this.#refuse(this.#roles(), 'permission denied to grant role "admin"');
      } else {
        refusal = this.#hiddenAmong(this.#roles());
      }
    }
    return refusal;
  }

  #set(): Refusal | undefined {
    const scope = this.#take('session', 'local');
    if (scope === 'session' && this.#take('authorization') !== undefined) return this.#setTo();
    if (this.#take('role') !== undefined) {
      this.#take('to');
      if (this.#lexer.kind === 'operator') this.#lexer.nextSignificant();
      return this.#setTo();
    }
    if (this.#take('session_authorization') === undefined) return undefined;
    this.#lexer.nextSignificant();
    return this.#setTo();
  }

  /** PostgreSQL takes an unknown role for a wrong value of a parameter here. */
  #setTo(): Refusal | undefined {
    return this.#hiddenAmong([readString(this.#lexer) ?? this.#role()], '22023');
  }

  #label(): Refusal | undefined {
    return this.#seek('on') === undefined ? undefined : this.#onRole();
  }

  #describe(): Refusal | undefined {
    return this.#take('on') === undefined ? undefined : this.#onRole();
  }

  #onRole(): Refusal | undefined {
    return this.#take('role') === undefined ? undefined : this.#refuse([this.#role()], 'permission denied');
  }
}

/** Reading statement by statement takes long, and all sessions wait: longer texts are left to PostgreSQL's privileges. */
const MAX_TEXT = 256 * 1024;

/**
 * The first reserved statement of a query string (one character a byte), if any. `hidden` are the server's own roles.
 * A string that names none of these roles costs one search.
 */
export interface ReservedStatementFinder {
  (sql: string, session: Session): ReservedStatement | undefined;
  /** Whether the string has anything of these names, which is the same for every session. */
  hasTraces(sql: string): boolean;
}

export function reservedStatementFinder(hidden: ReadonlySet<string>): ReservedStatementFinder {
  // A name may also be written with escapes, or meant by what the session calls itself. One search each: V8 is several
  // times slower with all of them in one.
  const names = [ADMIN, ...hidden].map((name) => name.replace(/\W/g, '.'));
  const traces = [...names, 'u&', 'current_', 'session_user'].map((text) => new RegExp(text, 'i'));
  const hasTraces = (sql: string) => sql.length <= MAX_TEXT && traces.some((trace) => trace.test(sql));
  const find = (sql: string, session: Session): ReservedStatement | undefined => {
    if (!hasTraces(sql)) return undefined;
    for (const range of splitStatements(sql, session)) {
      try {
        const refusal = new RoleStatement(sql.slice(range.start, range.end), session, hidden).read();
        if (refusal !== undefined) return { ...range, ...refusal };
      } catch (error) {
        if (!(error instanceof SqlErrorThrown)) throw error;
      }
    }
    return undefined;
  };
  return Object.assign(find, { hasTraces });
}
