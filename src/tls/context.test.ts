import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect as connectTcp, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Certificates, ensureCertificates } from './authority.ts';
import { createTlsSettings, loadOperatorCertificates } from './context.ts';

const folder = mkdtempSync(join(tmpdir(), 'postern-tls-'));
const names = { dns: ['localhost', '*.dsql.us-east-1.on.aws'], ip: ['127.0.0.1'] };
let certificates: Certificates;
let server: Server;
let port = 0;

/** Answers an SSLRequest, then the start-up message with an error: enough for a client to have checked the certificate. */
function answer(socket: Socket): void {
  socket.on('error', () => undefined);
  socket.once('data', (first) => {
    socket.pause();
    if (first[0] === 0x16) socket.unshift(first);
    else socket.write('S');
    const secure = new TLSSocket(socket, { isServer: true, ...createTlsSettings(certificates) });
    secure.on('error', () => undefined);
    secure.once('data', () => {
      const fields = Buffer.from('SFATAL\0VFATAL\0C28000\0Mhandshake done\0\0');
      const head = Buffer.from([0x45, 0, 0, 0, fields.length + 4]);
      secure.end(Buffer.concat([head, fields]));
    });
  });
}

beforeAll(async () => {
  certificates = await ensureCertificates({ folder, names, now: () => new Date() });
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

function handshake(options: ConnectionOptions): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ socket: connectTcp(port, '127.0.0.1'), ca: certificates.ca, ...options });
    socket.once('secureConnect', () => {
      resolve(`${socket.getProtocol()} ${socket.alpnProtocol}`);
      socket.destroy();
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
}

describe('createTlsSettings', () => {
  const cases: [string, ConnectionOptions, string][] = [
    ['TLS 1.3 by name', { servername: 'localhost' }, 'TLSv1.3 false'],
    ['TLS 1.2', { servername: 'localhost', maxVersion: 'TLSv1.2' }, 'TLSv1.2 false'],
    ['a cluster’s name', { servername: 'abc.dsql.us-east-1.on.aws' }, 'TLSv1.3 false'],
    ['direct TLS', { servername: 'localhost', ALPNProtocols: ['postgresql'] }, 'TLSv1.3 postgresql'],
    ['an address', { host: '127.0.0.1' }, 'TLSv1.3 false'],
  ];
  test.each(cases)('serves %s', async (_, options, outcome) => {
    expect(await handshake(options)).toBe(outcome);
  });

  const refused: [string, ConnectionOptions, RegExp][] = [
    ['TLS 1.1', { servername: 'localhost', minVersion: 'TLSv1', maxVersion: 'TLSv1.1' }, /ERR_SSL|EPROTO|ECONNRESET/],
    ['another protocol', { servername: 'localhost', ALPNProtocols: ['h2'] }, /NO_APPLICATION_PROTOCOL|ECONNRESET/],
    ['a name that is not its own', { servername: 'db.example' }, /ERR_TLS_CERT_ALTNAME_INVALID/],
  ];
  test.each(refused)('has %s refused', async (_, options, outcome) => {
    expect(await handshake(options)).toMatch(outcome);
  });

  const noPsql = spawnSync('psql', ['--version']).status !== 0;
  test.skipIf(noPsql).each(['localhost', '127.0.0.1'])(
    'satisfies psql with sslmode=verify-full at %s (skipped without psql)',
    async (host) => {
      const url = `postgresql://x@${host}:${port}/postgres?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert=${certificates.caFile}&gssencmode=disable`;
      const client = spawn('psql', [url, '-c', 'select 1'], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      client.stderr.on('data', (chunk) => {
        said += chunk;
      });
      await new Promise((resolve) => client.once('close', resolve));
      expect(said).toContain('FATAL:  handshake done');
    },
  );
});

describe('loadOperatorCertificates', () => {
  const file = (name: string): string => join(folder, name);
  const good = { certFile: file('server.crt'), keyFile: file('server.key'), caFile: file('ca.crt') };

  test('reads what fits together', () => {
    const { ca, cert, key } = certificates;
    expect(loadOperatorCertificates(good, new Date())).toEqual({ ca, cert, key, caFile: good.caFile });
    expect(loadOperatorCertificates({ ...good, caFile: undefined }, new Date()).ca).toBeUndefined();
  });

  const bad: [string, Partial<typeof good>, string][] = [
    ['a certificate file that is not there', { certFile: file('none') }, '--tls-cert: cannot read '],
    ['a key file that is not there', { keyFile: file('none') }, '--tls-key: cannot read '],
    ['an authority file that is not there', { caFile: file('none') }, '--tls-ca: cannot read '],
    ['a key for a certificate', { certFile: file('server.key') }, 'holds no certificate in PEM'],
    ['a certificate for a key', { keyFile: file('server.crt') }, 'holds no private key in PEM without a passphrase'],
    ['a key for an authority', { caFile: file('ca.key') }, '--tls-ca: '],
    ['the key of another certificate', { keyFile: file('ca.key') }, 'is not the key of'],
  ];
  test.each(bad)('refuses %s', (_, files, text) => {
    expect(() => loadOperatorCertificates({ ...good, ...files }, new Date())).toThrow(text);
  });

  test('refuses a certificate out of its time, and text that is nothing', () => {
    const year = 366 * 2 * 86_400_000;
    expect(() => loadOperatorCertificates(good, new Date(Date.now() + year))).toThrow('server.crt expired on');
    expect(() => loadOperatorCertificates(good, new Date(Date.now() - year))).toThrow('is not valid before');
    writeFileSync(file('text'), 'x');
    expect(() => loadOperatorCertificates({ ...good, certFile: file('text') }, new Date())).toThrow('--tls-cert: ');
  });
});
