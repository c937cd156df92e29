export interface AwsManagedPolicy {
  name: string;
  id: string;
  path: string;
  description: string;
  document: string;
  versionId: string;
  createdAt: string;
}

const POLICIES: ReadonlyMap<string, AwsManagedPolicy> = new Map([
  [
    'arn:aws:iam::aws:policy/AdministratorAccess',
    {
      name: 'AdministratorAccess',
      id: 'ANPAIWMBCKSKIEE64ZLYK',
      path: '/',
      description: 'Provides full access to AWS services and resources.',
      document: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
      versionId: 'v1',
      createdAt: '2015-02-06T18:39:46Z',
    },
  ],
]);

export function awsManagedPolicy(arn: string): AwsManagedPolicy | undefined {
  return POLICIES.get(arn);
}

export function awsManagedPolicies(): readonly AwsManagedPolicy[] {
  return [...POLICIES.values()];
}
