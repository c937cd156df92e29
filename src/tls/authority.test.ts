import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureCertificates } from './authority.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const DAY = 86_400_000;
const NAMES = { dns: ['localhost', '*.dsql.us-east-1.on.aws'], ip: ['127.0.0.1', '::1'] };

const root = mkdtempSync(join(tmpdir(), 'postern-tls-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(root, 'f-'));
});

const ensure = (days = 0, names = NAMES): ReturnType<typeof ensureCertificates> =>
  ensureCertificates({ folder, names, now: () => new Date(NOW.getTime() + days * DAY) });

describe('ensureCertificates', () => {
  test('makes an authority and a server certificate that it signed', async () => {
    const made = await ensure();
    const ca = new X509Certificate(made.ca);
    const server = new X509Certificate(made.cert);
    expect(ca.subject).toMatch(/^CN=Postern local CA [0-9a-f]{8}$/);
    expect(ca.ca).toBe(true);
    expect(ca.verify(ca.publicKey)).toBe(true);
    expect(Date.parse(ca.validTo) - NOW.getTime()).toBe(3650 * DAY);
    expect(server.ca).toBe(false);
    expect(server.verify(ca.publicKey)).toBe(true);
    expect(server.checkIssued(ca)).toBe(true);
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(Date.parse(server.validTo) - Date.parse(server.validFrom)).toBeLessThanOrEqual(397 * DAY);
    expect(server.checkHost('localhost')).toBe('localhost');
    expect(server.checkHost('abc.dsql.us-east-1.on.aws')).toBe('*.dsql.us-east-1.on.aws');
    expect(server.checkHost('a.b.dsql.us-east-1.on.aws')).toBeUndefined();
    expect(server.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect(server.checkIP('::1')).toBe('::1');
    expect(server.checkIP('127.0.0.2')).toBeUndefined();
  });

  test('keeps the private keys to the owner and leaves no drafts', async () => {
    const { caFile } = await ensure();
    const modes = readdirSync(folder).map((name) => [name, (statSync(join(folder, name)).mode & 0o777).toString(8)]);
    expect(modes).toEqual([
      ['ca.crt', '644'],
      ['ca.key', '600'],
      ['server.crt', '600'],
      ['server.key', '600'],
    ]);
    expect(caFile).toBe(join(folder, 'ca.crt'));
  });

  test('gives the same certificates the next time', async () => {
    const made = await ensure();
    expect(await ensure()).toEqual(made);
    expect(await ensure(365)).toEqual(made);
    expect(await ensure(0, { dns: ['LOCALHOST'], ip: ['::1'] })).toEqual(made);
  });

  const reasons: [string, () => ReturnType<typeof ensure>][] = [
    ['has less than 30 days left', () => ensure(367)],
    ['has expired', () => ensure(1000)],
    ['is not valid yet', () => ensure(-1)],
    ['lacks a host name', () => ensure(0, { ...NAMES, dns: ['db.example'] })],
    ['lacks an address', () => ensure(0, { ...NAMES, ip: ['10.0.0.1'] })],
    [
      'does not match its key',
      () => {
        writeFileSync(join(folder, 'server.key'), readFileSync(join(folder, 'ca.key')));
        return ensure();
      },
    ],
    [
      'is damaged',
      () => {
        writeFileSync(join(folder, 'server.crt'), 'x');
        return ensure();
      },
    ],
    [
      'is missing',
      () => {
        rmSync(join(folder, 'server.crt'));
        return ensure();
      },
    ],
  ];
  test.each(reasons)('renews the server certificate when it %s, and keeps the authority', async (_, again) => {
    const before = await ensure();
    const after = await again();
    expect(after.ca).toBe(before.ca);
    expect(after.cert).not.toBe(before.cert);
    expect(new X509Certificate(after.cert).verify(new X509Certificate(after.ca).publicKey)).toBe(true);
    expect(readFileSync(join(folder, 'server.crt'), 'utf8')).toBe(after.cert);
  });

  test('renews the server certificate when it is another authority’s', async () => {
    const before = await ensure();
    rmSync(join(folder, 'ca.crt'));
    rmSync(join(folder, 'ca.key'));
    const after = await ensure();
    expect(after.ca).not.toBe(before.ca);
    expect(after.cert).not.toBe(before.cert);
  });

  test('never outlives the authority, and then says so', async () => {
    await ensure();
    const late = await ensure(3640);
    expect(new X509Certificate(late.cert).validTo).toBe(new X509Certificate(late.ca).validTo);
    expect(await ensure(3641)).toEqual(late);
    await expect(ensure(3650)).rejects.toThrow(/ca\.crt expired on/);
  });

  test('never replaces an authority without its key', async () => {
    const { ca } = await ensure();
    rmSync(join(folder, 'ca.key'));
    await expect(ensure()).rejects.toThrow(/ca\.key is missing: restore it, or remove .*ca\.crt/);
    writeFileSync(join(folder, 'ca.key'), readFileSync(join(folder, 'server.key')));
    await expect(ensure()).rejects.toThrow(/ca\.key is not the key of/);
    expect(readFileSync(join(folder, 'ca.crt'), 'utf8')).toBe(ca);
  });

  test('starts anew from a key whose certificate was never written', async () => {
    await ensure();
    rmSync(join(folder, 'ca.crt'));
    const made = await ensure();
    expect(await ensure()).toEqual(made);
  });
});
