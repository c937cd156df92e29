// The peer: PgBouncer in front of the same PostgreSQL, with the same certificate, as its manual says for session pooling.
import { spawn } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { cleanEnvironment } from './postern.mjs';
import { end, run, waitFor } from './programs.mjs';

/** PgBouncer does not run as root: it gets the user that the engine runs as, who owns the socket. */
function userOf(engine) {
  if (process.getuid() !== 0) return undefined;
  const { uid, gid } = statSync(engine.folder);
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(uid));
  return { uid, gid, name: line.split(':')[0] };
}

/** `tls` names the certificate and key files that Postern uses. */
export async function startPgBouncer({ program, folder, engine, tls, user }) {
  const runAs = userOf(engine);
  mkdirSync(folder, { mode: 0o700 });
  const password = randomBytes(24).toString('base64url');
  const port = await freePort();
  const file = (name) => join(folder, name);
  copyFileSync(tls.cert, file('server.crt'));
  copyFileSync(tls.key, file('server.key'));
  writeFileSync(file('userlist.txt'), `"${user}" "${scramSecret(password)}"\n`, { mode: 0o600 });
  writeFileSync(
    file('pgbouncer.ini'),
    `[databases]
postgres = host=${engine.socketFolder} port=${engine.port} dbname=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
pool_mode = session
default_pool_size = 100
max_client_conn = 1000
auth_type = scram-sha-256
auth_file = ${file('userlist.txt')}
client_tls_sslmode = require
client_tls_cert_file = ${file('server.crt')}
client_tls_key_file = ${file('server.key')}
ignore_startup_parameters = extra_float_digits
`,
    { mode: 0o600 },
  );
  const log = file('pgbouncer.log');
  const output = openSync(log, 'a', 0o600);
  if (runAs) {
    for (const name of ['', 'server.crt', 'server.key', 'userlist.txt', 'pgbouncer.ini', 'pgbouncer.log']) {
      chownSync(file(name), runAs.uid, runAs.gid);
    }
    await letIn(engine, runAs, user);
  }
  const child = spawn(program, [file('pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', output],
    env: cleanEnvironment(),
    ...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
  });
  const look = () => readFileSync(log, 'utf8').includes('process up');
  await waitFor(child, { path: log, look, log, name: 'PgBouncer' });
  return {
    name: 'PgBouncer',
    pid: child.pid,
    environment: { PGPORT: String(port), PGPASSWORD: password },
    // PgBouncer's word for "now" (its manual, "Signals").
    stop: () => end(child, 'SIGTERM'),
  };
}

/** The engine lets in only the user that runs Postern; its files are written anew at every start. */
async function letIn(engine, { name, uid, gid }, user) {
  appendFileSync(join(engine.folder, 'pg_ident.conf'), `postern "${name}" all\n`);
  process.kill(engine.pid, 'SIGHUP');
  const environment = { ...cleanEnvironment(), PGHOST: engine.socketFolder, PGPORT: engine.port };
  // PostgreSQL does not say when it has read its files again, so it is asked until it has.
  for (let left = 100; ; left--) {
    try {
      await run('psql', ['-XqAtU', user, '-c', 'SELECT 1', 'postgres'], { env: environment, uid, gid, cwd: '/' });
      return;
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

/** PgBouncer cannot choose a port itself. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** As PostgreSQL stores it (RFC 5803): with the plain password in its file PgBouncer would derive it at every login. */
function scramSecret(password) {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const hmac = (text) => createHmac('sha256', salted).update(text).digest();
  const storedKey = createHash('sha256').update(hmac('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey}:${hmac('Server Key').toString('base64')}`;
}
