/** What HTTP requests ask for: AWS Query forms of IAM and STS, REST JSON of DSQL, and what comes without a signature. */
import { randomBytes } from 'node:crypto';
import { recordedParameters } from '../../../src/audit/recorded.ts';
import { DEFAULT_QUOTAS, Lifecycle } from '../../../src/clusters/lifecycle.ts';
import { TestingFleet } from '../../../src/clusters/testing-fleet.ts';
import type { HttpRequest, Service } from '../../../src/http/operation.ts';
import { createServices } from '../../../src/http/services.ts';
import { askUnsigned } from '../../../src/http/unsigned.ts';
import { createAuthority } from '../../../src/iam/authority.ts';
import type { Identity } from '../../../src/iam/identity.ts';
import { checkInput } from '../../../src/iam/input.ts';
import { createKeyUses } from '../../../src/iam/key-uses.ts';
import { Refused } from '../../../src/refused.ts';
import { createMemoryStore } from '../../../src/state/memory-store.ts';
import { createSealer } from '../../../src/state/sealing.ts';
import { createOidcKeys } from '../../../src/sts/oidc-keys.ts';
import { createSessionMaker } from '../../../src/sts/session-token.ts';
import { allowing, must, type Target } from '../target.ts';

const ACCOUNT = '123456789012';
const ROOT = `arn:aws:iam::${ACCOUNT}:root`;
const REGION = 'us-east-1';

function makeServices() {
  const store = createMemoryStore();
  const sealer = createSealer(Buffer.alloc(32, 7));
  const now = () => new Date('2026-03-01T12:00:00Z');
  const log = { debug() {}, info() {}, warn() {}, error() {} } as never;
  return createServices({
    iam: { store, sealer, account: ACCOUNT, now, random: randomBytes, keyUses: createKeyUses() },
    authority: createAuthority({ store, account: ACCOUNT }),
    sessions: createSessionMaker({ sealer, random: randomBytes }),
    oidcKeys: createOidcKeys({ now }),
    lifecycle: new Lifecycle({
      store,
      fleet: new TestingFleet(),
      endSessions: () => undefined,
      account: ACCOUNT,
      regions: [REGION],
      quotas: DEFAULT_QUOTAS,
      log,
      now,
      random: randomBytes,
    }),
    regions: [REGION],
  });
}

const { services, assumeRoleWithWebIdentity } = makeServices();
const caller = { kind: 'root', account: ACCOUNT, arn: ROOT, principalArn: ROOT } as unknown as Identity;

/** `METHOD target`, headers, an empty line and the body. */
function read(text: string, type: string): HttpRequest {
  const end = text.indexOf('\n');
  const [method = '', target = ''] = text.slice(0, end < 0 ? undefined : end).split(' ', 2);
  const body = end < 0 ? '' : text.slice(end + 1);
  return { method, target, headers: [['Content-Type', type]], body: Buffer.from(body, 'latin1') };
}

/** As far as an operation goes before anything is done. */
function ask(service: Service, request: HttpRequest): void {
  allowing(Refused, () => {
    const { name, operation, input } = service.ask(request);
    // No input reaches what every object has.
    must(Object.getPrototypeOf(input) === Object.prototype, 'an input is a plain object');
    recordedParameters(input);
    const checked = checkInput(operation.input, input);
    for (const { action, resource } of operation.needs(checked, caller)) {
      must(/^[a-z]+:[A-Za-z]+$/.test(action), `${name} needs an action`);
      must(typeof resource === 'string' && resource !== '', `${name} needs a resource`);
    }
  });
}

const FORM = 'application/x-www-form-urlencoded';
const iam = (body: string) => `POST /\nVersion=2010-05-08&Action=${body}`;
const sts = (body: string) => `POST /\nVersion=2011-06-15&Action=${body}`;
const DOCUMENT = encodeURIComponent(
  '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dsql:*","Resource":"*"}]}',
);

export const query: Target = {
  seeds: [
    iam('CreateUser&UserName=ann&Path=%2Fteam%2F&Tags.member.1.Key=a&Tags.member.1.Value=b'),
    iam(`PutUserPolicy&UserName=ann&PolicyName=p&PolicyDocument=${DOCUMENT}`),
    iam(`CreateRole&RoleName=r&AssumeRolePolicyDocument=${DOCUMENT}&MaxSessionDuration=3600`),
    iam(`CreatePolicy&PolicyName=p&PolicyDocument=${DOCUMENT}`),
    iam('AttachRolePolicy&RoleName=r&PolicyArn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FReadOnlyAccess'),
    iam('UpdateAccessKey&UserName=ann&AccessKeyId=AKIAIOSFODNN7EXAMPLE&Status=Inactive'),
    iam('CreateOpenIDConnectProvider&Url=https%3A%2F%2Fexample.com&ClientIDList.member.1=a&ThumbprintList='),
    iam(`SimulateCustomPolicy&PolicyInputList.member.1=${DOCUMENT}&ActionNames.member.1=dsql%3ADbConnect`),
    'GET /?Action=ListUsers&Version=2010-05-08&MaxItems=10&Marker=x&PathPrefix=%2F\n',
    sts('GetCallerIdentity'),
    sts(`AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A${ACCOUNT}%3Arole%2Fr&RoleSessionName=s&DurationSeconds=900`),
    sts(`GetFederationToken&Name=bob&Policy=${DOCUMENT}&PolicyArns.member.1.arn=arn%3Aaws`),
    sts('GetAccessKeyInfo&AccessKeyId=AKIAIOSFODNN7EXAMPLE'),
    sts('AssumeRoleWithWebIdentity&RoleArn=arn&RoleSessionName=s&WebIdentityToken=a.b.c'),
  ],
  vocabulary: [
    '&',
    '=',
    '.',
    'member.',
    '.1',
    '.2',
    '.1.Key=',
    '%',
    '%00',
    '+',
    'Action=',
    'Version=',
    '__proto__=x',
  ].concat(
    'constructor=x',
    '.member.4294967297=x',
    'action=ListUsers',
    '&MaxItems=1000',
    '&X-Amz-Signature=0',
    '\nGET /?',
  ),
  maxLength: 8_192,
  check(text) {
    const request = read(text, FORM);
    ask(services.iam, request);
    ask(services.sts, request);
    const unsigned = allowing(Refused, () => askUnsigned(request, assumeRoleWithWebIdentity));
    must(!unsigned || unsigned.name === 'AssumeRoleWithWebIdentity', 'one operation is called without a signature');
  },
};

const ID = 'abcdefghijklmnopqrstuvwxyz';
const ARN = `arn:aws:dsql:${REGION}:${ACCOUNT}:cluster/${ID}`;

export const json: Target = {
  seeds: [
    'POST /cluster\n{"deletionProtectionEnabled":true,"tags":{"a":"b"},"clientToken":"t"}',
    `POST /cluster\n{"multiRegionProperties":{"witnessRegion":"us-west-2","clusters":["${ARN}"]}}`,
    `POST /cluster/${ID}\n{"deletionProtectionEnabled":false}`,
    `GET /cluster/${ID}\n`,
    'GET /cluster?max-results=10&next-token=x\n',
    `DELETE /cluster/${ID}?client-token=t\n`,
    `POST /cluster/${ID}/policy\n{"policy":"{\\"Version\\":\\"2012-10-17\\"}","bypassPolicyLockoutSafetyCheck":true}`,
    `GET /cluster/${ID}/policy\n`,
    `POST /tags/${encodeURIComponent(ARN)}\n{"tags":{"k":"v"}}`,
    `DELETE /tags/${encodeURIComponent(ARN)}?tagKeys=a&tagKeys=b\n`,
    `GET /tags/${ARN}\n`,
  ],
  vocabulary: [
    '{',
    '}',
    '[',
    ']',
    '"',
    ',',
    ':',
    'null',
    'true',
    '1e400',
    '"__proto__":{}',
    '"constructor":{"prototype":{}}',
  ].concat('"tags":{"__proto__":"x"}', '"\\ud800"', '%2e%2e/', '%2F', '/cluster/', '?max-results=', '[[[[[[[['),
  maxLength: 8_192,
  check(text) {
    ask(services.dsql.get(REGION)!, read(text, 'application/json'));
    must(!('polluted' in {}) && Object.keys(Object.prototype).length === 0, 'no object is changed for all');
  },
};
