import { describe, expect, it } from 'vitest';
import { type ChangedRoles, RoleChanges } from './role-changes.ts';

/**
 * What an engine answers, word by word: command tags, `!` for an error, `I`, `T` and `E` for ReadyForQuery, `.` for the end
 * of the session. Behind it what is reported.
 */
const CASES: [name: string, answers: string, reported: string][] = [
  ['a statement by itself', 'CREATE ROLE|I', 'committed: CREATE ROLE'],
  ['one that fails', '!|I', ''],
  ['other statements', 'SELECT 1|CREATE TABLE|INSERT 0 1|I', ''],
  ['a block', 'BEGIN|T|CREATE ROLE|T|GRANT|T|COMMIT|I', 'committed: CREATE ROLE, GRANT'],
  ['a block that is rolled back', 'BEGIN|T|CREATE ROLE|T|ROLLBACK|I', 'rolled-back: CREATE ROLE'],
  ['a block that fails', 'BEGIN|T|CREATE ROLE|T|!|E|ROLLBACK|I', 'rolled-back: CREATE ROLE'],
  ['a block that fails at its end', 'BEGIN|T|GRANT|T|!|I', 'rolled-back: GRANT'],
  ['several statements in a text', 'CREATE ROLE|GRANT ROLE|I', 'committed: CREATE ROLE, GRANT ROLE'],
  ['several of which the last fails', 'CREATE ROLE|!|I', 'rolled-back: CREATE ROLE'],
  [
    'a block and a failure in a text',
    'BEGIN|CREATE ROLE|COMMIT|DROP ROLE|!|I',
    'committed: CREATE ROLE; rolled-back: DROP ROLE',
  ],
  ['a rolled back block and more in a text', 'BEGIN|GRANT|ROLLBACK|REVOKE|I', 'rolled-back: GRANT; committed: REVOKE'],
  ['a savepoint', 'BEGIN|T|SAVEPOINT|T|GRANT|T|ROLLBACK|T|REVOKE|T|COMMIT|I', 'unknown: GRANT; committed: REVOKE'],
  ['a savepoint after an error', 'BEGIN|T|GRANT|T|SAVEPOINT|T|!|E|ROLLBACK|T|COMMIT|I', 'unknown: GRANT'],
  [
    'a savepoint in a block that is rolled back',
    'BEGIN|T|GRANT|T|ROLLBACK|T|DROP ROLE|T|ROLLBACK|I',
    'rolled-back: GRANT, DROP ROLE',
  ],
  ['a session that ends within a block', 'BEGIN|T|ALTER ROLE|T|.', 'unknown: ALTER ROLE'],
  ['a session that ends before the answer', 'AWS IAM REVOKE|.', 'unknown: AWS IAM REVOKE'],
  ['a prepared transaction', 'BEGIN|T|GRANT|T|PREPARE TRANSACTION|I', 'unknown: GRANT'],
];

function follow(answers: string): ChangedRoles[] {
  const reported: ChangedRoles[] = [];
  const changes = new RoleChanges((change) => reported.push(change));
  let failed = false;
  for (const word of answers.split('|')) {
    if (word === '!') failed = true;
    else if (word === '.') changes.end();
    else if (/^[ITE]$/.test(word)) {
      changes.ready(word === 'I', failed);
      failed = false;
    } else changes.commandComplete(word);
  }
  return reported;
}

describe('commands on roles and privileges', () => {
  it.each(CASES)('are told with what became of them: %s', (_, answers, reported) => {
    const told = follow(answers).map(
      ({ outcome, commands }) => `${outcome}: ${commands.map(({ command }) => command).join(', ')}`,
    );
    expect(told.join('; ')).toBe(reported);
  });

  it('say which mapping an AWS IAM command has changed', () => {
    const reported: ChangedRoles[] = [];
    const changes = new RoleChanges((change) => reported.push(change));
    const mapping = { role: 'r', arn: 'arn:aws:iam::123456789012:role/r' };
    changes.mapping(mapping);
    changes.commandComplete('AWS IAM GRANT');
    changes.commandComplete('AWS IAM REVOKE');
    changes.ready(true, false);
    expect(reported).toEqual([
      { outcome: 'committed', commands: [{ command: 'AWS IAM GRANT', mapping }, { command: 'AWS IAM REVOKE' }] },
    ]);
  });

  it('are bounded in memory', () => {
    const reported: ChangedRoles[] = [];
    const changes = new RoleChanges((change) => reported.push(change));
    for (let count = 0; count < 1500; count++) changes.commandComplete('GRANT');
    expect(reported).toMatchObject([{ outcome: 'unknown', commands: { length: 1000 } }]);
  });

  it('do not hide in a line that is too long to be written, however long their names are', () => {
    const reported: ChangedRoles[] = [];
    const changes = new RoleChanges((change) => reported.push(change));
    const mapping = { role: '\u0001'.repeat(63), arn: `arn:aws:iam::123456789012:role/${'p'.repeat(2000)}/r` };
    for (let count = 0; count < 999; count++) {
      changes.mapping(mapping);
      changes.commandComplete('AWS IAM GRANT');
    }
    changes.ready(true, false);
    expect(reported.reduce((sum, { commands }) => sum + commands.length, 0)).toBe(999);
    for (const change of reported) expect(JSON.stringify(change).length).toBeLessThan(512 * 1024);
  });
});
