import * as iam from '@aws-sdk/client-iam';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCOUNT, type ApiUnderTest, allow, refusal, startApi, trust } from './api-under-test.ts';

let api: ApiUnderTest;
let root: iam.IAMClient;

beforeAll(async () => {
  api = await startApi();
  root = api.iam();
});
afterAll(() => api.close());

describe('roles', () => {
  const AssumeRolePolicyDocument = trust({ AWS: ACCOUNT });

  it('creates, reads, lists, updates and deletes a role', async () => {
    const made = await root.send(
      new iam.CreateRoleCommand({
        RoleName: 'Reader',
        Path: '/app/',
        AssumeRolePolicyDocument,
        Description: 'reads & <writes>\r\n"quoted"',
        MaxSessionDuration: 7200,
        Tags: [{ Key: 'k', Value: 'v' }],
      }),
    );
    expect(made.Role).toMatchObject({
      RoleName: 'Reader',
      Arn: `arn:aws:iam::${ACCOUNT}:role/app/Reader`,
      Description: 'reads & <writes>\r\n"quoted"',
      MaxSessionDuration: 7200,
      Tags: [{ Key: 'k', Value: 'v' }],
    });
    expect(made.Role!.RoleId).toMatch(/^AROA[A-Z2-7]{17}$/);
    expect(decodeURIComponent(made.Role!.AssumeRolePolicyDocument!)).toBe(AssumeRolePolicyDocument);
    await root.send(new iam.UpdateRoleCommand({ RoleName: 'Reader', Description: 'x', MaxSessionDuration: 3600 }));
    const PolicyDocument = trust({ AWS: `arn:aws:iam::${ACCOUNT}:root` });
    await root.send(new iam.UpdateAssumeRolePolicyCommand({ RoleName: 'Reader', PolicyDocument }));
    const { Role } = await root.send(new iam.GetRoleCommand({ RoleName: 'Reader' }));
    expect(Role).toMatchObject({ Description: 'x', MaxSessionDuration: 3600, RoleId: made.Role!.RoleId });
    expect(decodeURIComponent(Role!.AssumeRolePolicyDocument!)).toBe(PolicyDocument);
    const described = { RoleName: 'Reader', Description: '' };
    expect((await root.send(new iam.UpdateRoleDescriptionCommand(described))).Role).not.toHaveProperty('Description');
    const { Roles } = await root.send(new iam.ListRolesCommand({ PathPrefix: '/app/' }));
    expect(Roles!.map((role) => role.RoleName)).toEqual(['Reader']);

    await root.send(
      new iam.PutRolePolicyCommand({ RoleName: 'Reader', PolicyName: 'p', PolicyDocument: allow('dsql:DbConnect') }),
    );
    expect((await root.send(new iam.ListRolePoliciesCommand({ RoleName: 'Reader' }))).PolicyNames).toEqual(['p']);
    const policy = await root.send(new iam.GetRolePolicyCommand({ RoleName: 'Reader', PolicyName: 'p' }));
    expect(decodeURIComponent(policy.PolicyDocument!)).toBe(allow('dsql:DbConnect'));
    expect(await refusal(root.send(new iam.DeleteRoleCommand({ RoleName: 'Reader' })))).toMatchObject({
      code: 'DeleteConflict',
      text: 'Cannot delete entity, must delete policies first.',
    });
    await root.send(new iam.DeleteRolePolicyCommand({ RoleName: 'Reader', PolicyName: 'p' }));
    await root.send(new iam.TagRoleCommand({ RoleName: 'Reader', Tags: [{ Key: 'new', Value: '1' }] }));
    await root.send(new iam.UntagRoleCommand({ RoleName: 'Reader', TagKeys: ['k'] }));
    expect((await root.send(new iam.ListRoleTagsCommand({ RoleName: 'Reader' }))).Tags).toEqual([
      { Key: 'new', Value: '1' },
    ]);
    await root.send(new iam.DeleteRoleCommand({ RoleName: 'Reader' }));
    expect(await refusal(root.send(new iam.GetRoleCommand({ RoleName: 'Reader' })))).toMatchObject({
      code: 'NoSuchEntity',
      text: 'The role with name Reader cannot be found.',
    });
  });

  it.each([
    [trust({ AWS: `arn:aws:iam::${ACCOUNT}:user/nobody` }), /^Invalid principal in policy: "AWS":".*nobody"$/],
    [trust({ AWS: 'arn:aws:iam::999999999999:user/x' }), /^Invalid principal/],
    [trust({ AWS: `arn:aws:iam::${ACCOUNT}:user/*` }), /^Invalid principal/],
    [trust({ CanonicalUser: 'x' }), /CanonicalUser is not supported/],
    [allow('sts:AssumeRole'), /Has prohibited field Resource/],
    ['{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:*"}}', /may only specify STS AssumeRole actions/],
    ['{', /^Syntax errors in policy/],
  ])('refuses the trust policy %s', async (document, text) => {
    const create = new iam.CreateRoleCommand({ RoleName: 'never', AssumeRolePolicyDocument: document });
    const refused = await refusal(root.send(create));
    expect(refused).toMatchObject({ code: 'MalformedPolicyDocument', status: 400 });
    expect(refused.text).toMatch(text);
  });

  it('accepts a service as principal', async () => {
    const AssumeRolePolicyDocument = trust({ Service: 'lambda.amazonaws.com' });
    await root.send(new iam.CreateRoleCommand({ RoleName: 'lambda', AssumeRolePolicyDocument }));
    expect((await root.send(new iam.GetRoleCommand({ RoleName: 'lambda' }))).Role!.RoleName).toBe('lambda');
  });
});
