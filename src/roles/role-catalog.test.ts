import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { connectTo, startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { CATALOG_VERSION } from './catalog-sql.ts';
import { openRoleCatalog, type RoleCatalog } from './role-catalog.ts';

const ARN = 'arn:aws:iam::123456789012:role/reader';

let engine: TestEngine;
beforeAll(async () => {
  engine = await startTestEngine();
});
afterAll(() => engine?.stop());

const opened: RoleCatalog[] = [];
async function open() {
  const events = { onChange: vi.fn(), onJobs: vi.fn(), onLost: vi.fn() };
  const catalog = await openRoleCatalog(engine, events);
  opened.push(catalog);
  return { catalog, ...events };
}
afterAll(() => Promise.all(opened.map((catalog) => catalog.close().catch(() => undefined))));

describe('the role catalog', () => {
  it('installs itself once and again, and twice at the same time', async () => {
    await Promise.all([open(), open()]);
    await open();
    expect(await engine.sql('SELECT version FROM postern.catalog')).toEqual([{ version: CATALOG_VERSION }]);
  });

  it('knows the roles that clients can be, and no other', async () => {
    await engine.sql('CREATE ROLE reader LOGIN; CREATE ROLE closed; CREATE ROLE "Odd ""name" LOGIN SUPERUSER');
    await engine.sql('CREATE ROLE replica LOGIN REPLICATION');
    const { catalog } = await open();
    expect(await catalog.facts('admin', ARN)).toMatchObject({ canLogin: true, mapped: false });
    expect(await catalog.facts('closed', ARN)).toMatchObject({ canLogin: false, mapped: false });
    const hidden = [
      'absent',
      'Reader',
      'replica',
      'postern',
      'Odd "name',
      'pg_monitor',
      'x'.repeat(64),
      `reader\0`,
      '',
    ];
    for (const role of hidden) expect(await catalog.facts(role, ARN), role).toBeUndefined();
  });

  it('tells of a mapping when it is committed, and not before', async () => {
    const { catalog, onChange } = await open();
    const admin = await connectTo(engine.socketPath, 'admin');
    await admin.query('BEGIN');
    await admin.query('CALL sys.aws_iam_grant($1, $2)', ['reader', ARN]);
    expect(await catalog.facts('reader', ARN)).toMatchObject({ mapped: false });
    await admin.query('COMMIT');
    await vi.waitFor(() => expect(onChange).toHaveBeenCalled(), { timeout: 10_000, interval: 5 });
    expect(await catalog.facts('reader', ARN)).toMatchObject({ mapped: true });
    expect(await catalog.mappings()).toEqual([{ roleOid: expect.any(Number), arn: ARN }]);
    await admin.end();
  });

  it('runs no code of the caller in place of its own names', async () => {
    await open();
    await engine.sql('DELETE FROM postern.iam_mapping');
    const admin = await connectTo(engine.socketPath, 'admin');
    await admin.query(`
      CREATE ROLE shadowed LOGIN;
      CREATE TABLE public.ran_as (who text);
      CREATE FUNCTION public.spy() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO public.ran_as VALUES (current_user); RETURN true; END $$;
      SET ROLE admin;
      CREATE TEMP VIEW pg_authid AS SELECT 1::oid AS oid, 'shadowed'::name AS rolname, NOT public.spy() AS rolsuper,
        public.spy() AS rolcanlogin;
      CREATE DOMAIN pg_temp.name AS pg_catalog.name CHECK (public.spy());
      CREATE DOMAIN pg_temp.oid AS pg_catalog.oid CHECK (public.spy());
    `);
    await admin.query('CALL sys.aws_iam_grant($1, $2)', ['shadowed', ARN]);
    await admin.query('CALL sys.aws_iam_revoke($1, $2)', ['shadowed', ARN]);
    await admin.end();
    expect(await engine.sql('SELECT who FROM public.ran_as')).toEqual([]);
  });

  // Whoever locked rows and had others look for them kept everybody from logging in.
  it('has no login wait for a look at a large table', async () => {
    const { catalog } = await open();
    await engine.sql('CREATE TABLE public.large AS SELECT n FROM generate_series(1, 400000) n');
    await catalog.lockedRows('large', ['3'], true);
    const order: string[] = [];
    await Promise.all([
      catalog.lockedRows('large', ['3'], true).then(() => order.push('rows')),
      catalog.facts('admin', ARN).then(() => order.push('facts')),
    ]);
    expect(order).toEqual(['facts', 'rows']);
    await engine.sql('DROP TABLE public.large');
  });

  it('opens the session anew in which it looks for rows, and nobody else notices', async () => {
    const { catalog, onLost } = await open();
    await catalog.lockedRows('absent', ['3'], true);
    const [{ pid } = { pid: 0 }] = await engine.sql<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE application_name = 'postern' ORDER BY backend_start DESC LIMIT 1",
    );
    await engine.sql(`SELECT pg_terminate_backend(${pid}, 10000)`);
    await vi.waitFor(async () => expect(await catalog.lockedRows('absent', ['3'], true)).toEqual([]));
    expect(onLost).not.toHaveBeenCalled();
    expect(await catalog.facts('admin', ARN)).toMatchObject({ canLogin: true });
  });

  // A client who renames schemas while a lock is waited for could have had his functions run as the superuser.
  it('runs no code of a view that has got the place of a table', async () => {
    const { catalog } = await open();
    const admin = await connectTo(engine.socketPath, 'admin');
    await engine.sql('CREATE SCHEMA swapped AUTHORIZATION admin');
    await admin.query(`
      CREATE TABLE swapped.ran_as (who text);
      CREATE FUNCTION swapped.spy() RETURNS tid LANGUAGE plpgsql AS $$
        BEGIN INSERT INTO swapped.ran_as VALUES (current_user); RETURN '(0,1)'; END $$;
      CREATE VIEW swapped.t AS SELECT swapped.spy() AS ctid, '5'::xid AS xmax, '5'::xid AS xmin`);
    const [row] = (await admin.query("SELECT 'swapped.t'::regclass::oid AS view")).rows;
    const places = { relation: row.view, places: '{"(0,1)"}', strongly: true };
    await expect(catalog.hasRows(['700'], [places])).rejects.toMatchObject({
      message: expect.stringContaining('access to non-system view "t" is restricted'),
    });
    await admin.end();
    expect(await engine.sql('SELECT who FROM swapped.ran_as')).toEqual([]);
    const readers = await engine.sql<{ name: string }>(`
      SELECT p.oid::regproc::text AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname = 'postern' AND p.prosrc ~ 'EXECUTE.*FROM (ONLY )?%s'
        AND NOT 'restrict_nonsystem_relation_kind=view, foreign-table' = ANY (p.proconfig)`);
    expect(readers).toEqual([]);
  });

  it('puts the routines of an older version right', async () => {
    await engine.sql(`
      ALTER PROCEDURE sys.aws_iam_grant SET search_path = pg_catalog;
      UPDATE postern.catalog SET version = 1`);
    await open();
    // Those that run as the superuser, and those that have a search path at all.
    const paths = await engine.sql<{ proconfig: string[] }>(`
      SELECT proname, proconfig FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
      WHERE nspname IN ('sys', 'postern') AND (prosecdef OR proconfig IS NOT NULL)`);
    expect(paths.length).toBeGreaterThan(4);
    for (const path of paths)
      expect(path).toMatchObject({ proconfig: expect.arrayContaining(['search_path=pg_catalog, pg_temp']) });
  });

  it('refuses a database that a newer version has installed', async () => {
    await engine.sql('UPDATE postern.catalog SET version = 1000');
    await expect(open()).rejects.toThrow("the cluster's catalog has version 1000, newer than this program's");
    await engine.sql(`UPDATE postern.catalog SET version = ${CATALOG_VERSION}`);
  });

  it('puts right what was done to admin meanwhile', async () => {
    await engine.sql(`
      ALTER ROLE admin NOLOGIN SUPERUSER;
      ALTER ROLE admin SET search_path = nowhere;
      ALTER ROLE admin IN DATABASE postgres SET default_transaction_read_only = on`);
    const { catalog } = await open();
    expect(await catalog.facts('admin', ARN)).toMatchObject({ canLogin: true });
    expect(await engine.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'admin'")).toEqual([{ rolsuper: false }]);
    expect(await engine.sql("SELECT FROM pg_db_role_setting WHERE setrole = 'admin'::regrole")).toEqual([]);
  });

  it('says once that its session was lost, and refuses every question from then on', async () => {
    const { catalog, onLost } = await open();
    await engine.sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'postern' AND pid <> pg_backend_pid()",
    );
    await vi.waitFor(() => expect(onLost).toHaveBeenCalledOnce(), { timeout: 10_000, interval: 5 });
    const gone = { kind: 'engine-unavailable' };
    await expect(catalog.facts('admin', ARN)).rejects.toMatchObject(gone);
    await expect(catalog.mappings()).rejects.toMatchObject(gone);
  });
});
