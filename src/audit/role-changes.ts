/** What a session's command on roles or privileges is called, by its command tag; no other tag is reported. */
export const ROLE_COMMANDS = {
  'AWS IAM GRANT': 'AwsIamGrant',
  'AWS IAM REVOKE': 'AwsIamRevoke',
  'CREATE ROLE': 'CreateDatabaseRole',
  'ALTER ROLE': 'AlterDatabaseRole',
  'DROP ROLE': 'DropDatabaseRole',
  'GRANT ROLE': 'GrantDatabaseRole',
  'REVOKE ROLE': 'RevokeDatabaseRole',
  GRANT: 'GrantPrivileges',
  REVOKE: 'RevokePrivileges',
  'ALTER DEFAULT PRIVILEGES': 'AlterDefaultPrivileges',
  'REASSIGN OWNED': 'ReassignOwned',
  'DROP OWNED': 'DropOwned',
} as const;

export type RoleCommand = keyof typeof ROLE_COMMANDS;

export function isRoleCommand(tag: string): tag is RoleCommand {
  return Object.hasOwn(ROLE_COMMANDS, tag);
}

/**
 * `unknown`: a savepoint was rolled back, or the session ended before the end of the transaction was seen, so that the
 * command may have been undone or not.
 */
export type Outcome = 'committed' | 'rolled-back' | 'unknown';

export interface RoleChange {
  command: RoleCommand;
  /** Of AWS IAM GRANT and REVOKE, as the database has said them. */
  mapping?: { role: string; arn: string };
}

export interface ChangedRoles {
  outcome: Outcome;
  commands: readonly RoleChange[];
}

/** Commands that one transaction may have before they are reported: a client chooses how many there are. */
const MAX_COMMANDS = 1000;
/** In bytes, as JSON: a client chooses how long the names are, too, and a line that is too long would not be written. */
const MAX_BYTES = 256 * 1024;

/**
 * Follows a session's commands on roles and privileges to the end of their transaction, by what the engine answers: the
 * tags of CommandComplete, errors, and the status in ReadyForQuery. What happens inside a routine has no tag of its own.
 */
export class RoleChanges {
  readonly #report: (changes: ChangedRoles) => void;
  #commands: RoleChange[] = [];
  #bytes = 0;
  /** The first ones of them came before a ROLLBACK that may have been one to a savepoint. */
  #doubtful = 0;
  #mapping: RoleChange['mapping'];

  constructor(report: (changes: ChangedRoles) => void) {
    this.#report = report;
  }

  /** What the next AWS IAM command is about. */
  mapping(mapping: RoleChange['mapping']): void {
    this.#mapping = mapping;
  }

  commandComplete(tag: string): void {
    if (isRoleCommand(tag)) {
      const mapping = tag.startsWith('AWS IAM') ? this.#mapping : undefined;
      this.#mapping = undefined;
      this.#commands.push({ command: tag, ...(mapping && { mapping }) });
      if (mapping) this.#bytes += Buffer.byteLength(JSON.stringify(mapping));
      if (this.#commands.length >= MAX_COMMANDS || this.#bytes >= MAX_BYTES) this.#flush('unknown');
    } else if (tag === 'COMMIT') {
      this.#flush('unknown', this.#doubtful);
      this.#flush('committed');
    } else if (tag === 'PREPARE TRANSACTION') {
      this.#flush('unknown');
    } else if (tag === 'ROLLBACK') {
      this.#doubtful = this.#commands.length;
    }
  }

  /** The transaction is over when it is idle; `failed`: an error came since it last was, and no COMMIT after it. */
  ready(idle: boolean, failed: boolean): void {
    if (!idle || this.#commands.length === 0) return;
    if (failed) this.#flush('rolled-back');
    this.#flush('rolled-back', this.#doubtful);
    this.#flush('committed');
  }

  /** The session has ended. */
  end(): void {
    this.#flush('unknown');
  }

  get pending(): boolean {
    return this.#commands.length > 0;
  }

  #flush(outcome: Outcome, count = this.#commands.length): void {
    const commands = this.#commands.splice(0, count);
    this.#doubtful = 0;
    if (this.#commands.length === 0) this.#bytes = 0;
    if (commands.length > 0) this.#report({ outcome, commands });
  }
}
