import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CertificateAndKey, issueAuthority, issueServer } from '../../src/tls/issue.ts';
import { cleanUp, makeFolder, postern, type StartedServer, startServerProcess } from '../harness/cli.ts';

/** What `postern start` does with the operator's own certificate. */

const names = { dns: ['localhost'], ip: ['127.0.0.1'] };
let folder: string;
let authority: CertificateAndKey;
let first: CertificateAndKey;
let server: StartedServer;
beforeAll(async () => {
  folder = await makeFolder();
  authority = await issueAuthority(new Date());
  first = await issueServer(authority, names, new Date());
  install(first);
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
  server = await startServerProcess(folder, [...files(), '--tls-ca', join(folder, 'ca.pem')]);
});
afterAll(cleanUp);

const files = () => ['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')];

function install({ cert, key }: CertificateAndKey): void {
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key, { mode: 0o600 });
}

/** The certificate that a client meets now. */
function presented(): Promise<string> {
  return new Promise((resolve, reject) => {
    const port = Number(server.environment['PGPORT']);
    const client = connect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: authority.cert,
      ALPNProtocols: ['postgresql'],
    });
    client.once('secureConnect', () => {
      resolve(client.getPeerX509Certificate()?.fingerprint256 as string);
      client.destroy();
    });
    client.once('error', reject);
  });
}

const fingerprint = ({ cert }: CertificateAndKey) => new X509Certificate(cert).fingerprint256;
const says = (text: string, times: number) =>
  expect.poll(() => server.stderr().split(text).length - 1, { timeout: 20_000 }).toBe(times);

describe('the operator’s own certificate', () => {
  it('is what clients meet and are told to check, and no other is made', async () => {
    expect(await presented()).toBe(fingerprint(first));
    expect(server.environment['PGSSLROOTCERT']).toBe(join(folder, 'ca.pem'));
    expect(existsSync(join(folder, '.postern', 'tls'))).toBe(false);
  });

  it('is read again at SIGHUP, for new connections; open ones stay', async () => {
    const { PGHOST, PGPORT, PGUSER, PGPASSWORD } = server.environment as Record<string, string>;
    const open = new pg.Client({
      host: PGHOST,
      port: Number(PGPORT),
      user: PGUSER,
      password: PGPASSWORD,
      database: 'postgres',
      ssl: { ca: authority.cert },
    });
    await open.connect();
    const second = await issueServer(authority, names, new Date());
    install(second);
    server.child.kill('SIGHUP');
    await says('"configuration reloaded"', 1);
    expect(await presented()).toBe(fingerprint(second));
    expect((await open.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await open.end();
  });

  it('stays in use when the new one is of no use', async () => {
    const before = await presented();
    const { key } = await issueServer(authority, names, new Date());
    writeFileSync(join(folder, 'key.pem'), key);
    server.child.kill('SIGHUP');
    await says('the configuration was not reloaded', 1);
    rmSync(join(folder, 'cert.pem'));
    server.child.kill('SIGHUP');
    await says('the configuration was not reloaded', 2);
    expect(await presented()).toBe(before);
    expect(server.stderr()).not.toContain(readFileSync(join(folder, 'key.pem'), 'utf8').slice(40, 80));
  });

  it.each([
    ['that is not there', () => rmSync(join(folder, 'cert.pem'), { force: true }), '--tls-cert: cannot read'],
    ['that is none', () => writeFileSync(join(folder, 'cert.pem'), 'x'), '--tls-cert: '],
    ['whose key is another’s', () => writeFileSync(join(folder, 'cert.pem'), first.cert), '--tls-key: '],
  ])('is refused at start with one line when it is one %s', async (_, spoil, line) => {
    spoil();
    const other = await makeFolder();
    const { status, stderr } = await postern(['start', '--pg-port', '0', '--api-port', '0', ...files()], {}, other);
    expect(status).toBe(2);
    expect(stderr).toMatch(new RegExp(`^postern: ${line}`, 'm'));
  });
});
