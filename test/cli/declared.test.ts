import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanUp, makeFolder, postern, startServerProcess } from '../harness/cli.ts';

afterAll(cleanUp);

describe('postern start with a declaration', () => {
  it('tells what is wrong with it in one line, with status 2, before it makes anything', async () => {
    const folder = await makeFolder();
    writeFileSync(join(folder, 'postern.json'), JSON.stringify({ declare: { roles: [{ name: 'r' }] } }));
    expect(await postern(['start', '--pg-port', '0', '--api-port', '0'], {}, folder)).toEqual({
      status: 2,
      stdout: '',
      stderr: 'postern: postern.json: declare.roles[0].trustPolicy: is missing\n',
    });
    expect(existsSync(join(folder, '.postern'))).toBe(false);
  });

  it('tells what it is refused with, with status 2, and leaves nothing running', async () => {
    const folder = await makeFolder();
    const declare = { users: [{ name: 'u', groups: ['none'] }] };
    writeFileSync(join(folder, 'other.json'), JSON.stringify({ declare }));
    const args = ['start', '--pg-port', '0', '--api-port', '0', '--log-level', 'silent', '--config', 'other.json'];
    expect(await postern(args, {}, folder)).toEqual({
      status: 2,
      stdout: '',
      stderr: 'postern: other.json: declare.users[0].groups[0]: The group with name none cannot be found.\n',
    });
    expect(existsSync(join(folder, '.postern', 'postern.pid'))).toBe(false);
  });

  it('logs what it has done, and has further names in the certificate', async () => {
    const folder = await makeFolder();
    const declare = { clusters: [{ name: 'default', aliases: ['db.internal'], tags: { stage: 'test' } }] };
    writeFileSync(join(folder, 'postern.json'), JSON.stringify({ $schema: 'x', declare }));
    const server = await startServerProcess(folder);
    const lines = server
      .stderr()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    const logged = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'declared');
    const cluster = server.environment['POSTERN_CLUSTER_ID'];
    expect(logged).toMatchObject([{ path: 'declare.clusters[0].tags', change: `tags of cluster ${cluster}` }]);
    const certificate = new X509Certificate(readFileSync(join(folder, '.postern', 'tls', 'server.crt')));
    expect(certificate.subjectAltName).toContain('DNS:db.internal');
    expect(await server.stop()).toBe(0);
    const audit = join(folder, '.postern', 'audit');
    const trail = readdirSync(audit).filter((name) => name.endsWith('.jsonl'));
    const text = trail.map((name) => readFileSync(join(audit, name), 'utf8')).join('');
    const changed = text.split('\n').filter((line) => line.includes('"eventName":"DeclarationChanged"'));
    expect(changed.map((line) => JSON.parse(line).additionalEventData)).toEqual([
      { file: 'postern.json', path: 'declare.clusters[0].tags', change: `tags of cluster ${cluster}` },
    ]);
  });
});
