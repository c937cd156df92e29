import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRoleCommand } from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Issuer, makeKey, startIssuer } from '../harness/oidc-issuer.ts';
import { HAS_BOTO3 } from '../harness/programs.ts';
import { ACCOUNT, type ApiUnderTest, startApi } from './api-under-test.ts';
import { runBoto3 } from './boto3.ts';

let api: ApiUnderTest;
let issuer: Issuer;
let folder: string;
beforeAll(async () => {
  const key = await makeKey('rsa', 'RS256');
  [api, issuer, folder] = await Promise.all([startApi(), startIssuer(key), mkdtemp(join(tmpdir(), 'postern-test-'))]);
});
afterAll(() => Promise.all([api?.close(), issuer?.close(), folder && rm(folder, { recursive: true })]));

describe.skipIf(!HAS_BOTO3)('boto3', () => {
  it('begins sessions of every kind', async () => {
    const provider = `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer.url.slice('http://'.length)}`;
    const createdAt = new Date().toISOString();
    const Action = ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'];
    const trust = (statement: object) => JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    const AssumeRolePolicyDocument = trust({ Effect: 'Allow', Principal: '*', Action });
    for (const RoleName of ['Boto', 'BotoWeb']) {
      await api.iam().send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));
    }
    const trustPolicy = trust({
      Effect: 'Allow',
      Principal: { Federated: provider },
      Action: 'sts:AssumeRoleWithWebIdentity',
    });
    await api.store.change((draft) => {
      const row = { url: issuer.url, createdAt, clientIds: ['client'], thumbprints: [], tags: [] };
      draft.put('oidcProviders', provider, row);
      draft.put('roles', 'botoweb', { ...draft.get('roles', 'botoweb')!, trustPolicy });
    });

    const token = await issuer.sign(issuer.claims());
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, token);
    const steps = await runBoto3(api, 'boto3-sts.py', {
      ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/Boto`,
      WEB_ROLE_ARN: `arn:aws:iam::${ACCOUNT}:role/BotoWeb`,
      WEB_TOKEN: token,
      WEB_TOKEN_FILE: tokenFile,
      EXPIRED_TOKEN: await issuer.sign(issuer.claims({ exp: Math.floor(Date.now() / 1000) - 3600 })),
    });
    const sts = `arn:aws:sts::${ACCOUNT}`;
    expect(steps).toEqual([
      { step: 'role', arn: `${sts}:assumed-role/Boto/boto`, packed: true, source: 'me' },
      {
        step: 'session token',
        arn: `arn:aws:iam::${ACCOUNT}:root`,
        iam: ['InvalidClientTokenId', 403],
        again: ['AccessDenied', 403],
      },
      {
        step: 'federation token',
        arn: `${sts}:federated-user/Bob`,
        user: `${sts}:federated-user/Bob`,
        iam: ['InvalidClientTokenId', 403],
        role: ['AccessDenied', 403],
      },
      {
        step: 'web identity',
        arn: `${sts}:assumed-role/BotoWeb/boto`,
        subject: 'repo:me/app',
        audience: 'client',
        provider,
        expired: ['ExpiredTokenException', 400],
        invalid: ['InvalidIdentityToken', 400],
      },
      {
        step: 'errors',
        tags: ['ValidationError', 400],
        policy: ['MalformedPolicyDocument', 400],
        mfa: ['ValidationError', 400],
        saml: ['UnsupportedOperation', 400],
        decode: ['UnsupportedOperation', 400],
      },
      { step: 'token file', arn: `${sts}:assumed-role/BotoWeb/pod` },
    ]);
  });
});
