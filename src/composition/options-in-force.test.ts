import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KEYS, kebab, ROWS } from '../config/option-rows.ts';
import { readOptions } from '../config/options.ts';
import { OptionsInForce } from './options-in-force.ts';
import { createQuotas } from './quotas.ts';

const optionsOf = (...argv: string[]) => ({ ...readOptions('start', argv, {}, tmpdir()).options, dataDir: '/data' });

describe('options in force', () => {
  it('change together, and only when they are put', () => {
    const inForce = new OptionsInForce(optionsOf());
    const change = inForce.compare(optionsOf('--shutdown-timeout', '9', '--failed-login-rate', '3'));
    expect(change.changed).toEqual([
      { option: 'failed-login-rate', from: 10, to: 3 },
      { option: 'shutdown-timeout', from: 5, to: 9 },
    ]);
    expect(inForce.current.shutdownTimeout).toBe(5);
    inForce.put(change);
    expect(inForce.current).toMatchObject({ shutdownTimeout: 9, failedLoginRate: 3 });
  });

  it('names what only a restart changes, as long as it differs from the start', () => {
    const inForce = new OptionsInForce(optionsOf());
    for (const _ of ['first', 'again']) {
      const change = inForce.compare(optionsOf('--pg-port', '1', '--account', '111122223333'));
      expect(change.needRestart).toEqual(['pg-port', 'account']);
      inForce.put(change);
    }
    expect(inForce.current.pgPort).toBe(5432);
    expect(inForce.compare(optionsOf()).needRestart).toEqual([]);
  });

  it('refuse what does not go together with what stays', () => {
    const inForce = new OptionsInForce(optionsOf('--audit-log', 'off'));
    expect(() => inForce.compare(optionsOf('--audit-required', 'on'))).toThrow(
      '--audit-required: there is no audit log (--audit-log off)',
    );
  });

  it('make anew what is derived from them', () => {
    const inForce = new OptionsInForce(optionsOf());
    let made = 0;
    const derived = inForce.derived(({ idleTime }) => [idleTime, ++made]);
    expect([derived(), derived()]).toEqual([
      [3600, 1],
      [3600, 1],
    ]);
    inForce.put(inForce.compare(optionsOf('--idle-time', '5')));
    expect([derived(), derived()]).toEqual([
      [5, 2],
      [5, 2],
    ]);
  });

  it('limit who is there already', () => {
    const inForce = new OptionsInForce(optionsOf());
    const { principalQuotas } = createQuotas(() => inForce.current);
    const open = [principalQuotas.admit('arn'), principalQuotas.admit('arn')];
    inForce.put(inForce.compare(optionsOf('--connections-per-principal', '2')));
    expect(() => principalQuotas.admit('arn')).toThrow('2 connections are open');
    open[0]?.release();
    expect(() => principalQuotas.admit('arn')).not.toThrow();
  });

  it('are those that the manual names', () => {
    const manual = readFileSync(fileURLToPath(new URL('../../docs/operations.md', import.meta.url)), 'utf8');
    const section = manual.slice(manual.indexOf('## Changing the configuration')).split('\n## ')[0] ?? '';
    const rows = section
      .split('\n')
      .filter((line) => line.startsWith('|'))
      .join();
    const named = [...rows.matchAll(/`--([a-z-]+)`/g)].map(([, name]) => name);
    expect(named.sort()).toEqual(
      KEYS.filter((key) => ROWS[key].reload)
        .map(kebab)
        .sort(),
    );
  });
});
