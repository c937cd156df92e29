import { describe, expect, it } from 'vitest';
import { ConfigurationError } from '../config/configuration-error.ts';
import { configurationSchema } from '../config/describe.ts';
import { readDeclaration } from './apply.ts';
import { DECLARATION } from './declaration.ts';
import { jsonSchema } from './shape.ts';

const read = (content: unknown) => readDeclaration({ file: 'postern.json', folder: '/', content });
const trustPolicy = {};

describe('a declaration', () => {
  it('may be empty, and may have everything', () => {
    expect(read({})).toEqual({});
    const whole = {
      clusters: [
        {
          name: 'default',
          region: 'us-east-1',
          aliases: ['db.internal', '10.0.0.1'],
          tags: { stage: '' },
          deletionProtection: false,
          policy: 'cluster-policy.json',
          databaseRoles: [{ name: 'App', iamPrincipals: ['arn:aws:iam::123456789012:role/app'] }],
          sql: ['schema.sql'],
        },
      ],
      oidcProviders: [{ url: 'https://example.com', clientIds: ['a'], thumbprints: [], tags: {} }],
      policies: [{ name: 'p', document: {}, path: '/x/', description: '', tags: { a: 'b' } }],
      groups: [{ name: 'g', path: '/', policies: { in: {} }, attachedPolicies: ['p'] }],
      users: [
        {
          name: 'u',
          tags: {},
          permissionsBoundary: 'p',
          groups: ['g'],
          accessKeys: [{ idFrom: 'KEY_ID', secretFrom: 'KEY_SECRET' }],
        },
      ],
      roles: [{ name: 'r', trustPolicy, description: '', maxSessionDuration: 3600 }],
    };
    expect(read(whole)).toEqual(whole);
  });

  it.each<[unknown, string]>([
    [[], 'declare: must be a JSON object'],
    [
      { role: [] },
      'declare.role: is not known here (known are clusters, oidcProviders, policies, groups, users, roles)',
    ],
    [{ roles: {} }, 'declare.roles: must be a list'],
    [{ roles: ['app'] }, 'declare.roles[0]: must be a JSON object'],
    [{ roles: [{ name: 'a', trustPolicy }, { name: 'b' }] }, 'declare.roles[1].trustPolicy: is missing'],
    [
      { roles: [{ name: 'a', trustPolicy: 1 }] },
      'declare.roles[0].trustPolicy: must be a JSON object, or the path of a JSON file',
    ],
    [
      { roles: [{ name: 'a', trustPolicy, maxSessionDuration: 60 }] },
      'declare.roles[0].maxSessionDuration: must be from 3600 to 43200',
    ],
    [
      { roles: [{ name: 'a', trustPolicy, maxSessionDuration: '3600' }] },
      'declare.roles[0].maxSessionDuration: must be a whole number',
    ],
    [{ users: [{ name: '' }] }, 'declare.users[0].name: is empty'],
    [{ users: [{ name: 'x'.repeat(65) }] }, 'declare.users[0].name: has more than 64 characters'],
    [{ users: [{ name: 'u', tags: { 'a b': 1 } }] }, 'declare.users[0].tags["a b"]: must be text'],
    [
      { users: [{ name: 'u', accessKeys: [{ idFrom: 'A', secretFrom: 'wJalr+Utn/FEMI' }] }] },
      'declare.users[0].accessKeys[0].secretFrom: "wJalr+Utn/FEMI" is not the name of an environment variable',
    ],
    [{ users: [{ name: 'App' }, { name: 'app' }] }, 'declare.users[1]: app is there twice'],
    [
      { clusters: [{ name: 'x', deletionProtection: 'no' }] },
      'declare.clusters[0].deletionProtection: must be true or false',
    ],
    [
      { clusters: [{ name: 'x', aliases: ['localhost'] }] },
      'declare.clusters[0].aliases[0]: localhost always means the default cluster',
    ],
    [
      {
        clusters: [
          { name: 'x', aliases: ['a.b'] },
          { name: 'y', aliases: ['A.b'] },
        ],
      },
      'declare.clusters[1].aliases[0]: A.b is there twice',
    ],
  ])('names the file and the path of what is wrong: %j', (content, message) => {
    expect(() => read(content)).toThrow(new ConfigurationError(`postern.json: ${message}`));
  });

  it('has a schema for editors, which the package has as a file', async () => {
    const schema = configurationSchema(jsonSchema(DECLARATION));
    // After a change of the options or of what can be declared: npx vitest run src/declared/declaration.test.ts -u
    await expect(`${JSON.stringify(schema, null, 2)}\n`).toMatchFileSnapshot('../../schema/postern.schema.json');
  });
});
