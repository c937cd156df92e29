import { describe, expect, it } from 'vitest';
import { answeredNetworks, answerProbe, type Network } from './probes.ts';

const asked = (source: string | undefined, networks: readonly Network[] = [], host = 'localhost:4510') =>
  answerProbe(
    {
      metrics: () => ({ status: 200, contentType: 'text/plain', body: '' }),
      unready: () => [],
      ailing: () => [],
      from: answeredNetworks(networks),
    },
    { method: 'GET', url: '/healthz', headers: { host }, source },
  )?.status;

describe('monitoring', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('is answered to this machine: %s', (source) => {
    expect(asked(source)).toBe(200);
  });

  it.each([
    '10.0.0.1',
    '::ffff:10.0.0.1',
    '128.0.0.1',
    'fe80::1',
    '::',
    '0.0.0.0',
    'x',
    '',
    undefined,
  ])('is not answered to %s', (source) => {
    expect(asked(source)).toBeUndefined();
  });

  it.each([
    'localhost',
    'localhost:4510',
    '127.0.0.1:4510',
    '[::1]:4510',
    'postern.localhost:4510',
  ])('is answered to this machine under the name %s', (host) => {
    expect(asked('127.0.0.1', [], host)).toBe(200);
  });

  it.each([
    'evil.example:4510',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'evil-localhost',
    '',
  ])('is not answered to a page of this machine’s browser that is called %s', (host) => {
    expect(asked('127.0.0.1', [], host)).toBeUndefined();
    expect(asked('192.0.2.7', [{ address: '192.0.2.7', prefix: 32 }], host)).toBe(200);
  });

  it('is answered to the networks that the operator names, and to no others', () => {
    const networks = [
      { address: '10.1.0.0', prefix: 16 },
      { address: '192.0.2.7', prefix: 32 },
      { address: '2001:db8::', prefix: 32 },
    ];
    for (const source of ['10.1.2.3', '::ffff:10.1.2.3', '192.0.2.7', '2001:db8:1::5', '127.0.0.1']) {
      expect(asked(source, networks)).toBe(200);
    }
    for (const source of ['10.2.0.1', '192.0.2.8', '2001:db9::1']) expect(asked(source, networks)).toBeUndefined();
  });
});
