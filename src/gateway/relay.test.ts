import type { Socket } from 'node:net';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { cstring, message, readyForQuery } from '../pgwire/messages.ts';
import { Refused } from '../refused.ts';
import { Relay } from './relay.ts';

/** What an end has received so far, as text. */
function listen(end: Duplex): () => string {
  let text = '';
  end.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  return () => text;
}

function startRelay() {
  const [client, clientSide] = duplexPair();
  const [engine, engineSide] = duplexPair();
  const relay = new Relay({
    client: clientSide as Socket,
    engine: engineSide as Socket,
    dialect: 'dsql',
    reader: undefined,
    role: 'app',
    connectionId: 'the-connection',
    mappingsCommitted: async () => undefined,
  });
  const [said, asked] = [listen(client), listen(engine)];
  relay.start(readyForQuery('I'));
  return { relay, client, engine, said, asked };
}

const query = (sql: string) => message('Q', cstring(sql));
const revoked = () => new Refused('mapping-revoked', { detail: 'revoked' });
/** In-memory pipes pass on within a few turns of the event loop. */
const settle = async () => {
  for (let i = 0; i < 10; i++) await turn();
};

describe('Relay', () => {
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
});
