import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCertificate } from './certificate.ts';
import { readOptions } from './options.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-certificate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const now = () => new Date();
const CLUSTER = 'a'.repeat(26);

async function open(argv: readonly string[], furtherNames: readonly string[] = []) {
  await openCertificate(readOptions('start', argv, {}, folder).options, folder, now, furtherNames);
  const read = (name: string) => new X509Certificate(readFileSync(join(folder, name)));
  const server = read('server.crt');
  return { names: server.subjectAltName ?? '', serial: server.serialNumber, ca: read('ca.crt').fingerprint256 };
}

describe('the server’s certificate', () => {
  it('has every name by which a cluster can be reached, and is made anew only when one is missing', async () => {
    const first = await open([]);
    expect(first.names).toContain('DNS:*.dsql.us-east-1.on.aws');
    const regions = ['--additional-region', 'eu-west-1', '--additional-region', 'us-west-2'];
    const second = await open(regions);
    for (const region of ['us-east-1', 'eu-west-1', 'us-west-2']) {
      expect(second.names).toContain(`DNS:*.dsql.${region}.on.aws`);
    }
    expect(second.ca).toBe(first.ca);
    expect(second.serial).not.toBe(first.serial);
    // One with more names than are needed still fits.
    expect((await open([])).serial).toBe(second.serial);
    const aliases = ['--cluster-alias', `db.internal=${CLUSTER}`, '--cluster-alias', '10.0.0.1'];
    const third = await open([...regions, ...aliases], ['reports.internal', '10.0.0.2']);
    for (const name of ['DNS:db.internal', 'DNS:reports.internal', 'IP Address:10.0.0.1', 'IP Address:10.0.0.2']) {
      expect(third.names).toContain(name);
    }
    expect(third.ca).toBe(first.ca);
  });

  it('of the operator’s is taken, and a key that others can read is told', async () => {
    await open([]);
    const [certFile, keyFile] = [join(folder, 'server.crt'), join(folder, 'server.key')];
    const { options } = readOptions('start', ['--tls-cert', certFile, '--tls-key', keyFile], {}, folder);
    for (const [mode, told] of [
      [0o600, 0],
      [0o640, 0],
      [0o644, 1],
      [0o660, 1],
    ] as const) {
      chmodSync(keyFile, mode);
      const warnings: string[] = [];
      await openCertificate(options, folder, now, [], (text) => warnings.push(text));
      expect(warnings.length, mode.toString(8)).toBe(told);
      for (const text of warnings)
        expect(text).toMatch(/^--tls-key: .*server\.key can be read or written by other users$/);
    }
  });
});
