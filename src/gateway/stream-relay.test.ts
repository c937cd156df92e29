import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { cstring, message, readyForQuery } from '../pgwire/messages.ts';
import { Refused } from '../refused.ts';
import type { Relay } from './relay.ts';
import { StreamRelay } from './stream-relay.ts';
import { noTraffic } from './traffic.ts';

/** What an end has received so far, as text. */
function listen(end: Duplex): () => string {
  let text = '';
  end.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return () => text;
}

/** `before`: what happens until the session is ready. */
function startRelay(before: (sides: { clientSide: Duplex; engineSide: Duplex }) => void = () => undefined) {
  const [client, clientSide] = duplexPair();
  const [engine, engineSide] = duplexPair();
  before({ clientSide, engineSide });
  const traffic = noTraffic();
  const relay = new StreamRelay({
    traffic,
    client: clientSide as Socket,
    engine: engineSide as Socket,
    role: 'app',
    connectionId: 'the-connection',
    rolesChanged: () => undefined,
    mappingsCommitted: async () => undefined,
  });
  const [said, asked] = [listen(client), listen(engine)];
  relay.start(readyForQuery('I'));
  return { relay, client, clientSide, engine, said, asked, traffic };
}

const query = (sql: string) => message('Q', cstring(sql));
const revoked = () => new Refused('mapping-revoked', { detail: 'revoked' });
/** In-memory pipes pass on within a few turns of the event loop. */
const settle = async () => {
  for (let i = 0; i < 10; i++) await turn();
};

describe('StreamRelay', () => {
  it('is over at once when either side has gone while the other was made ready', async () => {
    const gone = startRelay(({ clientSide }) => clientSide.destroy());
    expect(await gone.relay.ended).toEqual({ reason: 'client-disconnected' });
    const killed = startRelay(({ engineSide }) => engineSide.destroy());
    expect(await killed.relay.ended).toEqual({ reason: 'engine-closed' });
    await settle();
    expect(killed.said()).toBe('');
  });

  it('ends a session that must end rather than run what stands behind a COMMIT in the same text', async () => {
    const { relay, client, engine, asked } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.endAtNextTransaction(revoked());
    client.write(query('SAVEPOINT s; ROLLBACK TO s; SELECT 1'));
    await settle();
    expect(asked()).toContain('ROLLBACK TO s; SELECT 1');
    engine.write(readyForQuery('T'));
    await settle();
    client.write(query('/* */ commit /* */ ; SELECT 2'));
    expect(await relay.ended).toMatchObject({ reason: 'ended', why: { kind: 'mapping-revoked' } });
    expect(asked()).not.toContain('SELECT 2');
  });

  it('ends one session, with the connection id, when the engine sends what nobody can read', async () => {
    const { relay, engine, said } = startRelay();
    engine.write(message('E', Buffer.from('no terminator')));
    expect(await relay.ended).toMatchObject({ reason: 'failed', error: { name: 'Malformed' } });
    await settle();
    expect(said()).toContain('internal error (connection the-connection)');
  });

  it('forwards one answer at a time once the session must end, and nothing of the next transaction', async () => {
    const { relay, client, engine, said, asked } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.endAtNextTransaction(revoked());
    client.write(Buffer.concat([query('SELECT 1'), query('COMMIT'), query('SELECT 2')]));
    await settle();
    expect(asked()).toMatch(/SELECT 1\0$/);
    engine.write(readyForQuery('T'));
    await settle();
    expect(asked()).toMatch(/COMMIT\0$/);
    engine.write(readyForQuery('I'));
    expect(await relay.ended).toMatchObject({ reason: 'ended', why: { kind: 'mapping-revoked' } });
    await settle();
    expect(asked()).not.toContain('SELECT 2');
    expect(said()).toContain('28000');
  });

  it('forwards no call of a function behind the answer that is due, once the session must end', async () => {
    const { relay, client, engine, asked } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.endAtNextTransaction(revoked());
    client.write(Buffer.concat([query('COMMIT'), message('F', Buffer.from('the call'))]));
    await settle();
    expect(asked()).toMatch(/COMMIT\0$/);
    engine.write(readyForQuery('I'));
    expect(await relay.ended).toMatchObject({ reason: 'ended', why: { kind: 'mapping-revoked' } });
    await settle();
    expect(asked()).not.toContain('the call');
  });

  it.each(['N', 'E'])('passes on a message of type %s as it comes, however long it is', async (type) => {
    const { engine, said } = startRelay();
    const long = message(type, Buffer.alloc(1_000_000, 'x'), Buffer.from([0, 0]));
    engine.write(long.subarray(0, 200_000));
    await settle();
    expect(said().length).toBeGreaterThan(199_000);
    engine.write(Buffer.concat([long.subarray(200_000), readyForQuery('I')]));
    await settle();
    expect(said().endsWith('xx\0\0Z\0\0\0\u0005I')).toBe(true);
  });

  it.each([
    ['in chunks of their own', (parts: Buffer[]) => parts],
    ['in one chunk', (parts: Buffer[]) => [Buffer.concat(parts)]],
  ])('lets no answer through for what was sent ahead before the session had to end: %s', async (_, chunks) => {
    const { relay, client, engine, said } = startRelay();
    client.write(Buffer.concat([query('SELECT 1'), query('SELECT 2')]));
    await settle();
    relay.endAtNextTransaction(revoked());
    const answer = (tag: string) => Buffer.concat([message('C', cstring(tag)), readyForQuery('I')]);
    for (const chunk of chunks([answer('SELECT 1'), answer('SELECT 2')])) {
      engine.write(chunk);
      await settle();
    }
    expect(await relay.ended).toMatchObject({ reason: 'ended' });
    await settle();
    expect(said()).toContain('SELECT 1');
    expect(said()).not.toContain('SELECT 2');
  });

  const deleted = () => new Refused('cluster-deleted', { detail: 'deleted' });

  it.each<[string, (relay: Relay) => void, string]>([
    ['with a last word', (relay) => relay.endWhenIdle(deleted()), '57P01'],
    ['without one at the end of its time', (relay) => relay.expire(), ''],
  ])('ends an idle session at once, %s', async (_, end, word) => {
    const { relay, said } = startRelay();
    await settle();
    const greeting = said().length;
    end(relay);
    await relay.ended;
    await settle();
    if (word) expect(said().slice(greeting)).toContain(word);
    else expect(said().slice(greeting)).toBe('');
  });

  it('lets a transaction in progress end when its time is over, and goes then without a word', async () => {
    const { relay, client, engine, said, asked } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.expire();
    client.write(query('COMMIT'));
    await settle();
    expect(asked()).toMatch(/COMMIT\0$/);
    engine.write(Buffer.concat([message('C', cstring('COMMIT')), readyForQuery('I')]));
    expect(await relay.ended).toEqual({ reason: 'expired' });
    await settle();
    expect(said()).toMatch(/COMMIT\0Z\0\0\0\x05I$/);
  });

  it('begins nothing of what was sent ahead when its time is over', async () => {
    const { relay, client, engine, asked } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.expire();
    client.write(Buffer.concat([query('COMMIT'), query('SELECT 2')]));
    await settle();
    engine.write(readyForQuery('I'));
    expect(await relay.ended).toEqual({ reason: 'expired' });
    expect(asked()).not.toContain('SELECT 2');
  });

  it('ends whatever it is doing when the time of its transaction is over, too', async () => {
    const { relay, client, said } = startRelay();
    client.write(query('SELECT pg_sleep(1000)'));
    await settle();
    const before = said();
    relay.expire();
    relay.expireNow();
    expect(await relay.ended).toEqual({ reason: 'expired' });
    await settle();
    expect(said()).toBe(before);
  });

  it('does not wait for ever until its client has read its last word', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const { relay, client, clientSide } = startRelay();
      client.pause();
      relay.end(deleted());
      await relay.ended;
      vi.advanceTimersByTime(59_999);
      await settle();
      expect(clientSide.destroyed).toBe(false);
      vi.advanceTimersByTime(1);
      expect(clientSide.destroyed).toBe(true);
      await settle();
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('goes when its time is over although it had to end at its next transaction anyway', async () => {
    const { relay, client, engine } = startRelay();
    client.write(query('BEGIN'));
    await settle();
    engine.write(readyForQuery('T'));
    await settle();
    relay.endAtNextTransaction(revoked());
    relay.expire();
    client.write(query('COMMIT'));
    await settle();
    engine.write(readyForQuery('I'));
    expect(await relay.ended).toMatchObject({ reason: 'ended', why: { kind: 'mapping-revoked' } });
  });
});
