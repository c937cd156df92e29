/**
 * Everything that reads bytes or text from outside, and what must hold for any input. One row a target; a run draws inputs
 * for each row in turn. To add one: a generator (mutations of something valid reach deeper than noise) and a `check` that
 * throws when the promise of the code is broken.
 */
import fc from 'fast-check';
import { readText } from '../../src/gateway/reading.ts';
import { isShared, shapeOf, withLength } from '../../src/gateway/shape.ts';
import type { Caller } from '../../src/iam/policy/caller.ts';
import {
  type CompiledPolicy,
  compileIdentityPolicy,
  compileResourcePolicy,
  compileTrustPolicy,
} from '../../src/iam/policy/compile.ts';
import { contextOf } from '../../src/iam/policy/context.ts';
import { contextKeysOf } from '../../src/iam/policy/context-keys.ts';
import { evaluate, type PolicySet } from '../../src/iam/policy/evaluate.ts';
import { parseIdentityPolicy, parseResourcePolicy, parseTrustPolicy } from '../../src/iam/policy/parse.ts';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { type FrameRule, FrameScanner, PASS, READ } from '../../src/pgwire/frame-scanner.ts';
import { Malformed } from '../../src/pgwire/malformed.ts';
import { decodeInitialPacket, splitOptions } from '../../src/pgwire/startup.ts';
import { Refused } from '../../src/refused.ts';
import { readAwsIamStatements } from '../../src/roles/aws-iam-statement.ts';
import { reservedStatementFinder } from '../../src/roles/reserved-statement.ts';
import { presignToken } from '../../src/sigv4/presign.ts';
import { parseRequestClaim, type SignedHttpRequest, verifyRequest } from '../../src/sigv4/request.ts';
import { parseToken } from '../../src/sigv4/token.ts';
import { verifyToken } from '../../src/sigv4/verify.ts';
import { tokens } from '../../src/sql/lexer.ts';
import { identifierValue, LexicalError, stringValue } from '../../src/sql/lexical-values.ts';
import { Parser } from '../../src/sql/parse.ts';
import { splitStatements } from '../../src/sql/statements.ts';
import { bytes, mutated, pieces } from './generators.ts';

/** Undefined when `work` throws an error of this class; any other error is a finding. */
function allowing<T>(allowed: new (...args: never[]) => Error, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof allowed) return undefined;
    throw error;
  }
}

function must(condition: boolean, promise: string): void {
  if (!condition) throw new Error(`broken promise: ${promise}`);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

const SIGNED_AT = new Date('2026-03-01T12:00:00Z');
const TOKENS = [undefined, 'a/b+c=='].map((sessionToken) =>
  presignToken({
    host: 'abcdefghijklmnopqrstuvwxyz.dsql.us-east-1.on.aws',
    region: 'us-east-1',
    action: 'DbConnectAdmin',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'secret', sessionToken },
    expiresIn: 900,
    now: SIGNED_AT,
  }),
);
/** What a token means. A host's letters have no case. */
const meaning = (text: string): unknown => {
  const claim = parseToken(text);
  return { ...claim, host: claim.host.toLowerCase() };
};
const MEANINGS = TOKENS.map(meaning);

const token = fc.property(
  mutated(TOKENS, ['&', '=', '%2F', '%00', '%', '?', '/', '+', '#', '@', 'X-Amz-Date=']),
  (text) => {
    const claim = allowing(Refused, () => parseToken(text));
    if (claim === undefined) return;
    const verified = allowing(Refused, () => {
      verifyToken(claim, 'secret', { now: SIGNED_AT, region: 'us-east-1' });
      return true;
    });
    if (verified)
      must(
        MEANINGS.some((known) => same(known, meaning(text))),
        'a changed token is not verified',
      );
  },
);

/** The worked example of the AWS General Reference. */
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7';
const REQUEST = {
  method: 'GET',
  target: '/?Action=ListUsers&Version=2010-05-08',
  host: 'iam.amazonaws.com',
  type: 'application/x-www-form-urlencoded; charset=utf-8',
  date: '20150830T123600Z',
  authorization: `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=${SIGNATURE}`,
  body: '',
};

function httpRequest(parts: typeof REQUEST): SignedHttpRequest {
  return {
    method: parts.method,
    target: parts.target,
    headers: [
      ['Host', parts.host],
      ['Content-Type', parts.type],
      ['X-Amz-Date', parts.date],
      ['Authorization', parts.authorization],
    ],
    body: Buffer.from(parts.body, 'latin1'),
  };
}

const REQUEST_TEXTS = parseRequestClaim(httpRequest(REQUEST))!.stringsToSign;
const mutatedPart = fc
  .constantFrom(...(Object.keys(REQUEST) as (keyof typeof REQUEST)[]))
  .chain((part) =>
    mutated([REQUEST[part]], ['&', '=', '%', ';', ',', '/', ' ', 'x-amz-']).map((text) => ({ [part]: text })),
  );

const request = fc.property(fc.array(mutatedPart, { maxLength: 3 }), (changes) => {
  const changed = httpRequest(Object.assign({}, REQUEST, ...changes) as typeof REQUEST);
  const claim = allowing(Refused, () => parseRequestClaim(changed));
  if (claim === undefined) return;
  const verified = allowing(Refused, () => {
    verifyRequest(claim, 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', { now: new Date('2015-08-30T12:36:00Z') });
    return true;
  });
  if (verified) must(claim.stringsToSign.includes(REQUEST_TEXTS[0]!), 'a changed request is not verified');
});

const SQL_PIECES =
  `' '' " "" \\ $$ $a$ $1 /* */ -- E' U&" U&' b' n' x' ; ( ) . .. : := :: => + - @ = 1 1. .5 1e 0x a é AWS IAM GRANT REVOKE
  TO FROM UESCAPE 'x' '!' "r" begin atomic case end ALTER DROP ROLE USER admin postern SET ON , IN ADMIN OWNER \\0041 \\uD83D`
    .split(/\s+/)
    .concat('\n', ' ', '\0', '\xff');
const sql = fc.oneof(pieces(SQL_PIECES, ' '), pieces(SQL_PIECES, ''));

const lexer = fc.property(sql, fc.boolean(), (text, standardConformingStrings) => {
  let at = 0;
  for (const { kind, start, end } of tokens(text, { standardConformingStrings })) {
    must(start === at && end > start, 'tokens tile the text');
    at = end;
    const raw = text.slice(start, end);
    if (kind.endsWith('identifier')) allowing(LexicalError, () => identifierValue(kind, raw));
    else allowing(LexicalError, () => stringValue(kind, raw));
  }
  must(at === text.length, 'tokens reach to the end');
  must(splitStatements(text, { standardConformingStrings }).at(-1)!.end === text.length, 'statements reach to the end');
});

const findReserved = reservedStatementFinder(new Set(['postern']));
const statements = fc.property(sql, fc.boolean(), (text, standardConformingStrings) => {
  const { found } = readAwsIamStatements(text, { standardConformingStrings });
  let at = 0;
  for (const { start, end } of found) {
    must(start >= at && end > start && end <= text.length, 'statements lie one after the other in the text');
    must(/^aws/i.test(text.slice(start, end)), 'a statement begins with AWS');
    at = end;
  }
  const reserved = findReserved(text, { standardConformingStrings, role: 'admin' });
  if (reserved)
    must(reserved.start < reserved.end && reserved.end <= text.length, 'a reserved statement lies in the text');
});

const DIALECT_SQL = [
  'SELECT version(), a.b FROM s.t JOIN pg_settings ON true WHERE x = $1 FOR UPDATE',
  'CREATE TABLE t (a int PRIMARY KEY, b jsonb, c bigint GENERATED ALWAYS AS IDENTITY (CACHE 1), UNIQUE (a, b))',
  'ALTER TABLE t ADD COLUMN a int[], DISABLE TRIGGER ALL, ADD CHECK (a > 1) NOT VALID',
  'CREATE UNIQUE INDEX ASYNC i ON t (a); ALTER TABLE ASYNC t VALIDATE CONSTRAINT c',
  'BEGIN ISOLATION LEVEL REPEATABLE READ; SET LOCAL role = x; SHOW server_version; COMMIT',
  "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT set_config('a', 'b', true) $$",
  "SELECT a, 12 FROM t, u WHERE b = 345 AND c IN (1, 2) AND d = 'x 1' LIMIT 10;",
  'INSERT INTO t VALUES (1, 23), (4, 567) ON CONFLICT DO NOTHING',
  'GRANT SELECT ON ALL TABLES IN SCHEMA s TO x; CREATE ROLE y WITH LOGIN; EXPLAIN ANALYZE DELETE FROM t',
];
const DIALECT_PIECES = [
  'ASYNC',
  'TEMP',
  'COLLATE "C"',
  'serial',
  '::line',
  'FOR SHARE',
  'INTO x',
  ';',
  '(',
  ')',
  "'",
  '$$',
];
const parser = await Parser.create();

const classification = fc.property(fc.oneof(mutated(DIALECT_SQL, DIALECT_PIECES), sql), (text) => {
  const reading = readText(text, parser);
  const { awsIam, classification: read, plain } = reading;
  const shape = shapeOf(text);
  if (shape !== undefined && isShared(text, reading)) {
    must(same(withLength(reading, text, shape), readText(shape, parser)), 'texts of one shape are read alike');
  }
  if (read.kind !== 'statements') return;
  let at = 0;
  for (const { start, end, splices, refusal } of read.statements) {
    must(start >= at && end >= start && end <= text.length, 'statements lie one after the other in the text');
    let inside = start;
    for (const splice of splices) {
      must(splice.start >= inside && splice.end > splice.start && splice.end <= end, 'splices lie in their statement');
      inside = splice.end;
    }
    must(!refusal || (/^[0-9A-Z]{5}$/.test(refusal.sqlstate) && refusal.message !== ''), 'a refusal has its texts');
    must(!plain || (!refusal && splices.length === 0), 'a plain text has nothing to change');
    at = end;
  }
  const found = read.statements.filter(({ tag }) => tag === 'AwsIamStmt').length;
  must(awsIam.error !== undefined || found === awsIam.found.length, 'AWS IAM statements are found again');
});

function initialPacket(code: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8, 0);
  head.writeInt32BE(code, 4);
  return Buffer.concat([head, body]);
}

const PACKETS = [
  initialPacket(196_608, Buffer.from('user\0admin\0database\0postgres\0options\0-c a=b\0\0')),
  initialPacket(196_610, Buffer.from('user\0x\0_pq_.a\0b\0\0')),
  initialPacket(80_877_103, Buffer.alloc(0)),
  initialPacket(80_877_102, Buffer.alloc(8, 1)),
];
const startup = fc.property(bytes(PACKETS), (packet) => {
  const read = allowing(Malformed, () => decodeInitialPacket(packet));
  if (read?.kind !== 'startup') return;
  for (const value of read.parameters.values()) allowing(Malformed, () => splitOptions(value));
});

const RULES = new Map<string, FrameRule>([
  ['Q', { treatment: READ, maxLength: 64 }],
  ['B', { treatment: PASS, maxLength: 64 }],
]);
const FRAMES = [
  Buffer.from('Q\0\0\0\x08abcB\0\0\0\x06xyQ\0\0\0\x05z', 'latin1'),
  Buffer.from('B\0\0\0\x04Q\0\0\0\x04', 'latin1'),
];

/** What a scanner makes of a stream that comes in these chunks. */
function scan(chunks: readonly Buffer[]): { forwarded: string; read: string[]; malformed: boolean } {
  const forwarded: Buffer[] = [];
  const read: string[] = [];
  const scanner = new FrameScanner(RULES, {
    forward: (part) => void forwarded.push(Buffer.from(part)),
    read: (type, chunk, start, end) => void read.push(`${type} ${chunk.toString('hex', start, end)}`),
  });
  const whole = allowing(Malformed, () => {
    for (const chunk of chunks) scanner.push(chunk);
    return true;
  });
  return { forwarded: Buffer.concat(forwarded).toString('hex'), read, malformed: whole === undefined };
}

const frames = fc.property(bytes(FRAMES), fc.array(fc.nat(64)), (stream, cuts) => {
  const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)), stream.length].sort((a, b) => a - b);
  const whole = scan([stream]);
  const parts = scan(at.slice(1).map((end, i) => stream.subarray(at[i], end)));
  must(same(whole.read, parts.read), 'the same messages are read, however the stream is cut');
  must(whole.malformed === parts.malformed, 'the same streams are refused, however they are cut');
  must(
    whole.malformed || whole.forwarded === parts.forwarded || parts.forwarded.startsWith(whole.forwarded),
    'the same bytes go on',
  );
  must(stream.toString('hex').startsWith(parts.forwarded), 'nothing is added or changed');
});

const FIELDS = [Buffer.from('SERROR\0C42601\0Mx\0\0')];
const fields = fc.property(bytes(FIELDS), (body) => void allowing(Malformed, () => decodeFields(body)));

const USER = 'arn:aws:iam::123456789012:user/u';
const ASKED = {
  action: 's3:GetObject',
  resource: 'arn:aws:s3:::b/u/k',
  caller: {
    kind: 'user',
    account: '123456789012',
    arn: USER,
    principalArn: USER,
    entityId: 'AIDA',
    bounded: false,
  } satisfies Caller,
};
const STATEMENT = {
  Sid: 'S',
  Effect: 'Allow',
  Action: ['s3:Get*', 'sts:AssumeRole'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: policy variables.
  Resource: "arn:aws:s3:::b/${aws:username}/${a:b, 'c'}*",
  Condition: {
    'ForAnyValue:StringLikeIfExists': { 'aws:TagKeys': ['a*', 'b'] },
    NumericLessThan: { 'a:n': 10 },
    DateGreaterThan: { 'aws:CurrentTime': '2026-03-01T12:00:00Z' },
    Bool: { 'aws:SecureTransport': true },
    NotIpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '2001:db8::/32'] },
    ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/*' },
    Null: { 'aws:SourceVpc': 'true' },
  },
};
const { Resource: _, ...trustStatement } = { ...STATEMENT, Action: 'sts:AssumeRole', Principal: { AWS: USER } };
const DOCUMENTS = [
  STATEMENT,
  { ...STATEMENT, Principal: { AWS: ['123456789012', USER], Federated: 'accounts.google.com' } },
  { Effect: 'Deny', NotPrincipal: '*', NotAction: '*', NotResource: '*' },
  trustStatement,
].map((statement) => JSON.stringify({ Version: '2012-10-17', Id: 'i', Statement: [statement] }));
const PIECES = [
  '{',
  '}',
  '[',
  ']',
  '"',
  ',',
  ':',
  '\\u0000',
  '${',
  'null',
  'true',
  '1e9',
  '"Condition"',
  '"Version"',
].concat('"2008-10-17"', '"Principal"', 'Not', 'ForAllValues:', 'IfExists', '*', '?');
const contexts = fc.dictionary(
  fc.constantFrom('aws:username', 'a:b', 'a:n', 'aws:tagkeys', 'aws:currenttime', 'aws:sourceip', 'aws:principalarn'),
  fc.array(
    fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom('u', '9', '10.0.0.1', '::1', '2027-01-01', USER, 'true')),
    {
      maxLength: 3,
    },
  ),
);

/** As an identity-based, a resource and a trust policy: each parser refuses or reads, and what is read can be asked. */
const policy = fc.property(mutated(DOCUMENTS, PIECES), contexts, (text, found) => {
  const own = allowing(Refused, () => compileIdentityPolicy('p', parseIdentityPolicy(text)));
  const resource = allowing(Refused, () => compileResourcePolicy(parseResourcePolicy(text)));
  const trust = allowing(Refused, () => compileTrustPolicy(parseTrustPolicy(text)));
  const on = (kind: 'resource' | 'trust', policy: CompiledPolicy | undefined): PolicySet['resource'] =>
    policy && { kind, policy, ids: { [USER]: 'AIDA' } };
  const context = contextOf(found);
  for (const compiled of [own, resource, trust]) {
    if (!compiled) continue;
    contextKeysOf([compiled]);
    for (const { source } of compiled.statements) {
      must(text[source.span.start] === '{' && text[source.span.end - 1] === '}', 'a statement is where its span says');
    }
  }
  for (const set of [on('resource', resource), on('trust', trust), undefined]) {
    const identity = own ? [own] : [];
    const free = evaluate({ identity, boundary: undefined, session: undefined, resource: set }, { ...ASKED, context });
    const limited = evaluate({ identity, boundary: [], session: [], resource: set }, { ...ASKED, context });
    must(!limited.allowed || free.allowed, 'a limit gives nothing');
    must(free.explain().effect === free.effect, 'the explanation is that of the decision');
    must(own !== undefined || set !== undefined || !free.allowed, 'nothing is allowed by no policy');
  }
});

interface Draw {
  seed: number;
  numRuns: number;
  /** Of a finding, to repeat it. */
  path?: string;
}

type Outcome = Pick<
  fc.RunDetails<unknown>,
  'failed' | 'numRuns' | 'seed' | 'counterexample' | 'counterexamplePath' | 'errorInstance'
>;

/** Draws inputs for one target and tells what came of it. */
function target<T>(property: fc.IProperty<T>): (draw: Draw) => Outcome {
  return (draw) => fc.check(property, draw);
}

export const TARGETS = {
  token: target(token),
  request: target(request),
  lexer: target(lexer),
  statements: target(statements),
  classification: target(classification),
  startup: target(startup),
  frames: target(frames),
  fields: target(fields),
  policy: target(policy),
};
