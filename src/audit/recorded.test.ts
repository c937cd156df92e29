import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Members, Shape } from '../iam/input.ts';
import { isDecided, recordedAnswer, recordedParameters, WITHHELD_PARAMETERS } from './recorded.ts';

const SRC = fileURLToPath(new URL('..', import.meta.url));
const modules: Record<string, Record<string, unknown>> = {};
for (const folder of ['iam', 'sts', 'clusters']) {
  for (const file of readdirSync(join(SRC, folder))) {
    if (/test/.test(file) || !file.endsWith('.ts')) continue;
    modules[`${folder}/${file}`] = await import(join(SRC, folder, file));
  }
}

const isShape = (value: unknown): value is Shape =>
  typeof value === 'object' && value !== null && typeof (value as Shape).type === 'string';

/** Every exported table of parameters, under its name. */
const tables: [string, Members][] = Object.entries(modules).flatMap(([path, exported]) =>
  Object.entries(exported).flatMap(([name, value]): [string, Members][] =>
    /^[A-Z_]+$/.test(name) && typeof value === 'object' && value !== null && Object.values(value).every(isShape)
      ? [[`${path} ${name}`, value as Members]]
      : [],
  ),
);

function namesIn(members: Members): string[] {
  return Object.entries(members).flatMap(([name, shape]) => [name, ...below(shape)]);
}

function below(shape: Shape): string[] {
  if (shape.type === 'list') return below(shape.of);
  return shape.type === 'structure' ? namesIn(shape.members) : [];
}

describe('what the audit log has of a call', () => {
  it('is decided for every parameter of every operation', () => {
    const names = new Set(tables.flatMap(([, members]) => namesIn(members)));
    expect(names.size).toBeGreaterThan(50);
    expect([...names].filter((name) => !isDecided(name))).toEqual([]);
  });

  it('has no proof of identity', () => {
    expect(WITHHELD_PARAMETERS).toContain('webIdentityToken');
    const input = {
      RoleArn: 'arn',
      WebIdentityToken: 'eyJ',
      SomethingElse: 'secret',
      Tags: [{ Key: 'a', Value: 'b' }],
    };
    expect(recordedParameters(input)).toEqual({
      roleArn: 'arn',
      webIdentityToken: 'HIDDEN_DUE_TO_SECURITY_REASONS',
      tags: [{ key: 'a', value: 'b' }],
    });
    expect(recordedParameters({})).toBeUndefined();
  });

  it('has of credentials the key id and the expiry', () => {
    const expiration = new Date(0);
    const output = {
      Credentials: { AccessKeyId: 'ASIA', SecretAccessKey: 's', SessionToken: 't', Expiration: expiration },
    };
    expect(recordedAnswer('AssumeRole', output)).toEqual({ credentials: { accessKeyId: 'ASIA', expiration } });
    expect(recordedAnswer('CreateAccessKey', { AccessKey: { AccessKeyId: 'AKIA', SecretAccessKey: 's' } })).toEqual({
      accessKey: { accessKeyId: 'AKIA' },
    });
  });

  it.each(['GetUser', 'ListAccessKeys', 'GetCallerIdentity', 'SimulateCustomPolicy'])('has no answer of %s', (name) => {
    expect(recordedAnswer(name, { UserName: 'a' })).toBeUndefined();
  });
});
