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
  const events = { onChange: vi.fn(), onLost: vi.fn() };
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
    const { catalog } = await open();
    expect(await catalog.facts('admin', ARN)).toMatchObject({ canLogin: true, mapped: false });
    expect(await catalog.facts('closed', ARN)).toMatchObject({ canLogin: false, mapped: false });
    const hidden = ['absent', 'Reader', 'postern', 'Odd "name', 'pg_monitor', 'x'.repeat(64), `reader\0`, ''];
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

  it('refuses a database that a newer version has installed', async () => {
    await engine.sql('UPDATE postern.catalog SET version = 1000');
    await expect(open()).rejects.toThrow("the cluster's catalog has version 1000, newer than this program's");
    await engine.sql(`UPDATE postern.catalog SET version = ${CATALOG_VERSION}`);
  });

  it('puts right what was done to admin meanwhile', async () => {
    await engine.sql('ALTER ROLE admin NOLOGIN SUPERUSER');
    const { catalog } = await open();
    expect(await catalog.facts('admin', ARN)).toMatchObject({ canLogin: true });
    expect(await engine.sql("SELECT rolsuper FROM pg_roles WHERE rolname = 'admin'")).toEqual([{ rolsuper: false }]);
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
