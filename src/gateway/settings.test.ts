import { describe, expect, it } from 'vitest';
import { readSessionRequest } from './settings.ts';

const read = (parameters: Record<string, string>, dialect: 'dsql' | 'postgres') =>
  readSessionRequest(new Map(Object.entries({ user: 'app', ...parameters })), dialect);

describe('a startup packet', () => {
  describe.each(['dsql', 'postgres'] as const)('in the dialect %s', (dialect) => {
    it.each<[string, Record<string, string>]>([
      ['user', { options: '-c user=postern' }],
      ['user', { options: '--user=postern' }],
      ['User', { User: 'postern' }],
      ['USER', { options: '-cUSER=postern' }],
      ['database', { options: '-c database=template1' }],
      ['Database', { Database: 'template1' }],
      ['options', { options: '-c options=-crole=postern' }],
      ['Options', { Options: '-c role=postern' }],
      ['role', { options: '-c role=postern' }],
      ['Role', { Role: 'postern' }],
      ['session_authorization', { options: '--session-authorization=postern' }],
      ['replication', { options: '-c replication=true' }],
      ['Replication', { Replication: 'true' }],
      ['is_superuser', { is_superuser: 'on' }],
      ['session_replication_role', { options: '-c session_replication_role=replica' }],
      ['post_auth_delay', { options: '-c post_auth_delay=2000' }],
      ['_pq_.x', { options: '-c _pq_.x=1' }],
      ['_PQ_.x', { '_PQ_.x': '1' }],
    ])('cannot set %s: %j', (name, parameters) => {
      expect(() => read(parameters, dialect)).toThrow(
        expect.objectContaining({
          kind: 'unsupported-parameter',
          say: `setting configuration parameter "${name}" not supported`,
        }),
      );
    });
  });

  it('sets what PostgreSQL knows in its own dialect, and what the service knows in the other', () => {
    const settings = { application_name: 'a', options: '-c statement_timeout=5 --TimeZone=UTC' };
    expect([...read(settings, 'postgres').settings]).toEqual([
      ['application_name', 'a'],
      ['statement_timeout', '5'],
      ['timezone', 'UTC'],
    ]);
    expect(() => read(settings, 'dsql')).toThrow(expect.objectContaining({ kind: 'unsupported-parameter' }));
  });
});
