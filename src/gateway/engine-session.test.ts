import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestEngine, type TestEngine } from '../engine/embedded/test-engine.ts';
import { openEngineSession } from './engine-session.ts';

let engine: TestEngine;
beforeAll(async () => {
  engine = await startTestEngine();
  await engine.sql('CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE boss LOGIN SUPERUSER');
});
afterAll(() => engine?.stop());

describe('a session in the engine', () => {
  it('is one of the role that was let in, whatever the settings say', async () => {
    for (const settings of [[], [['user', 'postern']], [['database', 'template1']]] as [string, string][][]) {
      const session = await openEngineSession(engine, 'app', new Map(settings));
      session.socket.destroy();
      expect(session.parameters.toString()).toContain('session_authorization\0app\0');
    }
  });

  it('is not opened where the engine says that it is one of a superuser', async () => {
    const refused = openEngineSession(engine, 'boss', new Map());
    await expect(refused).rejects.toMatchObject({
      kind: 'engine-unavailable',
      detail: expect.stringContaining('boss'),
    });
  });

  it('knows a role by a name that the client has in another encoding', async () => {
    await engine.sql('CREATE ROLE "é" LOGIN');
    for (const encoding of ['LATIN1', 'UTF8']) {
      const session = await openEngineSession(engine, 'é', new Map([['client_encoding', encoding]]));
      session.socket.destroy();
      expect(session.parameters.toString('latin1')).toContain(`client_encoding\0${encoding}\0`);
    }
  });
});
