import type { ObjectShape, TextShape, ValueOf } from './shape.ts';

/**
 * What `declare` in postern.json can list. Constraints that AWS has are left to the operations of IAM and DSQL, which check
 * them anyway; here stands what the operations do not see.
 */

const text = (about: string, max = 2048) => ({ type: 'text', about, max }) as const satisfies TextShape;
// What is given is not held against `Shape` here: the compiler would then take it for no more than that.
interface Any {
  about: string;
}
type Members = Readonly<Record<string, Any>>;
const list = <const S extends Any>(of: S, about: string) => ({ type: 'list', of, about }) as const;
const map = <const S extends Any>(of: S, about: string) => ({ type: 'map', of, about }) as const;
const object = <const R extends Members, const O extends Members>(about: string, required: R, optional: O) =>
  ({ type: 'object', about, required, optional }) as const;

const document = (about: string) => ({ type: 'document', about }) as const;
const anyText = (about: string) => ({ type: 'text', about, max: 1000, pattern: /^/ }) as const satisfies TextShape;

const path = text('the path, such as `/team/`', 512);
const tags = map(anyText('the value of the tag'), 'tags; others that are there stay');
const variable = {
  type: 'text',
  about: 'the name of an environment variable',
  max: 255,
  pattern: /^[A-Za-z_][A-Za-z0-9_]*$/,
} as const satisfies TextShape;

const holder = {
  policies: map(document('a policy document'), 'inline policies by name; others that are there stay'),
  attachedPolicies: list(
    text('the ARN of a managed policy, or the name of one that is declared here'),
    'managed policies to attach; others that are attached stay',
  ),
} as const;
const permissionsBoundary = text('the ARN of a managed policy, or the name of one that is declared here');

const provider = object(
  'an OpenID Connect provider',
  { url: text('the URL, as tokens have it as their issuer', 255) },
  {
    clientIds: list(text('an audience of tokens', 255), 'client ids; others that are there stay'),
    thumbprints: list(text('40 hex digits', 40), 'thumbprints of certificates: the whole list'),
    tags,
  },
);

const policy = object(
  'a managed policy',
  { name: text('its name', 128), document: document('the policy document') },
  { path, description: anyText('a description, which cannot be changed later'), tags },
);

const group = object('a group of IAM users', { name: text('its name', 128) }, { path, ...holder });

const accessKey = object(
  'an access key that was made elsewhere. Its two parts come from the environment: this file is no place for secrets',
  { idFrom: variable, secretFrom: variable },
  {},
);

const user = object(
  'an IAM user',
  { name: text('its name', 64) },
  {
    path,
    tags,
    permissionsBoundary,
    ...holder,
    groups: list(text('the name of a group', 128), 'groups to be a member of; others stay'),
    accessKeys: list(accessKey, 'access keys; others that are there stay'),
  },
);

const role = object(
  'an IAM role',
  { name: text('its name', 64), trustPolicy: document('who may assume the role') },
  {
    path,
    description: anyText('a description'),
    maxSessionDuration: { type: 'integer', about: 'in seconds', min: 3600, max: 43_200 },
    tags,
    permissionsBoundary,
    ...holder,
  },
);

const databaseRole = object(
  'a database role with LOGIN',
  { name: text('its name, as it is: nothing is folded to lower case', 63) },
  { iamPrincipals: list(text('the ARN of an IAM user or role'), 'who may be this role; others that may stay') },
);

/** The name by which the default cluster is declared. */
export const DEFAULT_CLUSTER = 'default';

const cluster = object(
  'a cluster',
  {
    name: {
      type: 'text',
      about: 'a name for this file (a-z, 0-9, -); `default` is the cluster that every server has',
      max: 63,
      pattern: /^[a-z][a-z0-9-]*$/,
    },
  },
  {
    region: text('one of the regions that the server serves; the home region where it is left out', 20),
    aliases: list(text('a host name or an address', 253), 'further host names that mean this cluster'),
    tags,
    deletionProtection: { type: 'flag', about: 'whether the cluster is protected from being deleted' },
    policy: document('the resource policy of the cluster'),
    databaseRoles: list(databaseRole, 'database roles, and who may be them'),
    sql: list(text('the path of an SQL file'), 'files that admin runs, each once for every content that it has had'),
  },
);

/** Applied in this order. */
export const DECLARATION = object(
  'what the account contains, set right at every start; what is not listed stays as it is',
  {},
  {
    clusters: list(cluster, 'clusters'),
    oidcProviders: list(provider, 'OpenID Connect providers'),
    policies: list(policy, 'managed policies'),
    groups: list(group, 'groups'),
    users: list(user, 'users'),
    roles: list(role, 'roles'),
  },
) satisfies ObjectShape;

export type Declaration = ValueOf<typeof DECLARATION>;
export type DeclaredPolicy = ValueOf<typeof policy>;
export type DeclaredGroup = ValueOf<typeof group>;
export type DeclaredUser = ValueOf<typeof user>;
export type DeclaredRole = ValueOf<typeof role>;
export type DeclaredProvider = ValueOf<typeof provider>;
export type DeclaredCluster = ValueOf<typeof cluster>;
export type DeclaredHolder = Pick<DeclaredUser, 'policies' | 'attachedPolicies'>;
