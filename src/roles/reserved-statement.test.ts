import { describe, expect, test } from 'vitest';
import { reservedStatementFinder } from './reserved-statement.ts';

const SESSION = { standardConformingStrings: true, role: 'admin' };
const find = reservedStatementFinder(new Set(['postern', 'postern-relay']));

describe('reservedStatementFinder', () => {
  const refused: [sql: string, message: string, sqlstate?: string][] = [
    ['ALTER ROLE admin CREATEDB', 'permission denied to alter role'],
    [`alter user "admin" with password 'x'`, 'permission denied to alter role'],
    ['ALTER ROLE ADMIN SET search_path = x', 'permission denied to alter role'],
    ['ALTER ROLE admin IN DATABASE postgres RESET ALL', 'permission denied to alter role'],
    ['ALTER ROLE U&"\\0061dmin" NOLOGIN', 'permission denied to alter role'],
    [`ALTER ROLE CURRENT_USER PASSWORD 'x'`, 'permission denied to alter role'],
    ['ALTER ROLE admin RENAME TO x', 'permission denied to rename role'],
    ['ALTER GROUP admin RENAME TO x', 'permission denied to rename role'],
    ['ALTER GROUP admin ADD USER x', 'permission denied to alter role'],
    ['ALTER GROUP admin DROP USER x', 'permission denied to alter role'],
    ['DROP ROLE admin', 'permission denied to drop role'],
    ['DROP USER IF EXISTS a, admin', 'permission denied to drop role'],
    ['SELECT 1; /* x */ drop group admin;', 'permission denied to drop role'],
    ['GRANT admin TO example', 'permission denied to grant role "admin"'],
    ['GRANT a, admin, b TO example WITH ADMIN OPTION', 'permission denied to grant role "admin"'],
    ['REVOKE admin FROM example', 'permission denied to revoke role "admin"'],
    ['REVOKE ADMIN OPTION FOR admin FROM example', 'permission denied to revoke role "admin"'],
    ['CREATE ROLE x IN ROLE admin', 'permission denied to grant role "admin"'],
    ['CREATE USER x LOGIN IN GROUP a, admin', 'permission denied to grant role "admin"'],
    ['DROP OWNED BY admin', 'permission denied to drop objects'],
    ['REASSIGN OWNED BY a, admin TO b', 'permission denied to reassign objects'],
    [`COMMENT ON ROLE admin IS 'x'`, 'permission denied'],
    [`SECURITY LABEL FOR p ON ROLE admin IS 'x'`, 'permission denied'],
    ...[
      'ALTER ROLE postern SUPERUSER',
      'ALTER ROLE postern RENAME TO x',
      'ALTER GROUP x ADD USER postern',
      'DROP ROLE a, postern',
      'GRANT postern TO admin',
      'GRANT x TO a, postern',
      'GRANT SELECT, UPDATE (a) ON TABLE t TO postern',
      'REVOKE ALL ON t FROM postern',
      'GRANT a TO b GRANTED BY postern',
      'CREATE ROLE x ROLE a, postern',
      'CREATE ROLE x ADMIN postern',
      'CREATE ROLE x IN ROLE postern',
      'CREATE SCHEMA s AUTHORIZATION postern',
      'ALTER TABLE t OWNER TO postern',
      'ALTER FUNCTION f(int, text) OWNER TO postern',
      'ALTER DEFAULT PRIVILEGES FOR ROLE postern IN SCHEMA s GRANT SELECT ON TABLES TO x',
      'DROP OWNED BY postern',
      'REASSIGN OWNED BY a TO postern',
      `COMMENT ON ROLE postern IS 'x'`,
    ].map((sql): [string, string, string] => [sql, 'role "postern" does not exist', '42704']),
    ['DROP ROLE "postern-relay"', 'role "postern-relay" does not exist', '42704'],
    ['SET ROLE postern', 'role "postern" does not exist', '22023'],
    [`SET LOCAL ROLE 'postern'`, 'role "postern" does not exist', '22023'],
    ['SET role = postern', 'role "postern" does not exist', '22023'],
    ['SET SESSION AUTHORIZATION postern', 'role "postern" does not exist', '22023'],
    [`SET session_authorization TO 'postern'`, 'role "postern" does not exist', '22023'],
  ];
  test.each(refused)('recognises %s', (sql, message, sqlstate = '42501') => {
    expect(find(sql, SESSION)).toMatchObject({ message, sqlstate });
  });

  const left = [
    'SELECT admin FROM admin',
    'GRANT example TO admin',
    'GRANT a, b TO x, admin WITH ADMIN OPTION',
    'GRANT example TO admin GRANTED BY admin',
    'REVOKE example FROM admin',
    'REVOKE ADMIN OPTION FOR example FROM admin',
    'GRANT SELECT ON admin TO admin',
    'GRANT SELECT ON ALL TABLES IN SCHEMA admin TO admin',
    'GRANT UPDATE (admin) ON t TO example',
    'REVOKE ALL ON FUNCTION admin(a, b) FROM admin',
    'ALTER TABLE admin OWNER TO admin',
    'ALTER TABLE admin RENAME TO x',
    'ALTER ROLE example RENAME TO admin',
    'ALTER ROLE example SET search_path = admin',
    'ALTER ROLE ALL SET search_path = admin',
    'ALTER GROUP example ADD USER admin',
    'ALTER DEFAULT PRIVILEGES FOR ROLE admin GRANT SELECT ON TABLES TO example',
    'CREATE ROLE admin',
    'CREATE ROLE x ADMIN admin',
    'CREATE ROLE x ROLE admin',
    'CREATE SCHEMA s AUTHORIZATION admin',
    'CREATE SCHEMA admin',
    'DROP TABLE admin',
    'DROP ROLE "Admin"',
    'DROP SCHEMA postern',
    'REASSIGN OWNED BY example TO admin',
    "COMMENT ON TABLE admin IS 'DROP ROLE admin'",
    `SELECT '; DROP ROLE admin'`,
    `SELECT $$; DROP ROLE admin; $$`,
    'SET ROLE admin',
    'SET LOCAL ROLE example',
    `SET search_path = admin`,
    'CREATE USER MAPPING FOR admin SERVER s',
    "ALTER USER MAPPING FOR admin SERVER s OPTIONS (a 'b')",
    'DROP USER MAPPING IF EXISTS FOR admin SERVER s',
    'DROP ROLE admin2',
    'DROP ROLE',
    'ALTER ROLE "admin',
    'GRANT admin',
    'GRANT',
    '',
  ];
  test.each(left)('leaves %j to PostgreSQL', (sql) => {
    expect(find(sql, SESSION)).toBeUndefined();
  });

  test('takes CURRENT_USER for the session’s own role', () => {
    expect(find('ALTER ROLE CURRENT_USER SET x = y', { ...SESSION, role: 'example' })).toBeUndefined();
  });

  test('tells where the statement is', () => {
    const sql = 'SELECT 1; DROP ROLE admin ; SELECT 2';
    const { start, end } = find(sql, SESSION)!;
    expect(sql.slice(start, end)).toBe(' DROP ROLE admin ');
  });

  test('reads no text so long that all sessions would wait for it', () => {
    const sql = 'DROP ROLE admin;';
    expect(find(`${' '.repeat(100_000)}${sql}`, SESSION)).toBeDefined();
    expect(find(`${' '.repeat(300_000)}${sql}`, SESSION)).toBeUndefined();
  });
});
