import fc from 'fast-check';
import { decodeFields } from '../../src/pgwire/fields.ts';
import { FrameScanner, PASS, READ } from '../../src/pgwire/frame-scanner.ts';
import { Malformed } from '../../src/pgwire/malformed.ts';
import { decodeInitialPacket, splitOptions } from '../../src/pgwire/startup.ts';
import { Refused } from '../../src/refused.ts';
import { readAwsIamStatements } from '../../src/roles/aws-iam-statement.ts';
import { reservedStatementFinder } from '../../src/roles/reserved-statement.ts';
import { presignToken } from '../../src/sigv4/presign.ts';
import { parseRequestClaim } from '../../src/sigv4/request.ts';
import { parseToken } from '../../src/sigv4/token.ts';
import { tokens } from '../../src/sql/lexer.ts';
import { splitStatements } from '../../src/sql/statements.ts';

/** A decoder of untrusted input: `check` throws when it does anything but read or refuse. */
export interface Target {
  name: string;
  property: fc.IRawProperty<unknown>;
}

/** Runs `work`; passes on everything that is not one of the expected refusals. */
function orRefuse(expected: new (...args: never[]) => Error, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof expected)) throw error;
  }
}

const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => Buffer.from(array));

const TOKEN = presignToken({
  host: `${'a'.repeat(26)}.dsql.us-east-1.on.aws`,
  region: 'us-east-1',
  action: 'DbConnect',
  credentials: { accessKeyId: 'ASIAEXAMPLE', secretAccessKey: 'secret', sessionToken: 'a+b/c==' },
  expiresIn: 900,
  now: new Date(0),
});

/** A good text with pieces taken out, doubled, exchanged or put in. */
const mutated = (text: string) =>
  fc
    .array(
      fc.tuple(
        fc.nat(text.length),
        fc.nat(40),
        fc.oneof(
          fc.string({ maxLength: 12 }),
          fc.constantFrom('&', '=', '%', '%0', '%00', '+', '?', '/', '\0', '\u2028'),
        ),
      ),
      { maxLength: 6 },
    )
    .map((edits) => edits.reduce((now, [at, cut, piece]) => now.slice(0, at) + piece + now.slice(at + cut), text));

const pieces = [
  'AWS',
  'IAM',
  'GRANT',
  'REVOKE',
  'TO',
  'FROM',
  'admin',
  'postern',
  'ROLE',
  'ALTER',
  'DROP',
  'app',
  "'arn'",
  "E'\\x",
  '$$',
  '$a$',
  '/*',
  '*/',
  '--',
  '\n',
  ';',
  '"',
  "'",
  'U&"',
  'UESCAPE',
  '(',
  ')',
  ',',
  '$1',
  'BEGIN',
  'ATOMIC',
  'END',
  '\xff',
  '\\',
];
const sql = fc
  .array(fc.constantFrom(...pieces), { maxLength: 40 })
  .chain((words) => fc.constantFrom('', ' ').map((gap) => words.join(gap)));
const findReserved = reservedStatementFinder(new Set(['postern']));

const RULES = new Map([
  ['Q', { treatment: READ, maxLength: 500 }],
  ['D', { treatment: PASS, maxLength: 500 }],
] as const);

export const TARGETS: readonly Target[] = [
  {
    name: 'startup packet',
    property: fc.property(bytes, (body) => orRefuse(Malformed, () => decodeInitialPacket(body))),
  },
  {
    name: 'startup packet with a right length',
    property: fc.property(bytes, (body) => {
      const head = Buffer.alloc(8);
      head.writeInt32BE(body.length + 8);
      head.writeInt32BE(3 << 16, 4);
      orRefuse(Malformed, () => decodeInitialPacket(Buffer.concat([head, body])));
    }),
  },
  {
    name: 'startup options',
    property: fc.property(fc.string({ maxLength: 200 }), (text) => orRefuse(Malformed, () => splitOptions(text))),
  },
  {
    name: 'frames',
    property: fc.property(fc.array(bytes, { maxLength: 6 }), (chunks) => {
      let passed = 0;
      const scanner = new FrameScanner(RULES, {
        forward: (part) => {
          passed += part.length;
        },
        read: () => undefined,
      });
      orRefuse(Malformed, () => {
        for (const chunk of chunks) scanner.push(chunk);
      });
      if (passed > chunks.reduce((sum, chunk) => sum + chunk.length, 0)) throw new Error('more went out than came in');
    }),
  },
  { name: 'response fields', property: fc.property(bytes, (body) => orRefuse(Malformed, () => decodeFields(body))) },
  { name: 'token', property: fc.property(mutated(TOKEN), (text) => orRefuse(Refused, () => parseToken(text))) },
  {
    name: 'signed request',
    property: fc.property(
      mutated(TOKEN.slice(TOKEN.indexOf('/'))),
      fc.array(
        fc.tuple(
          fc.constantFrom(
            'Host',
            'Authorization',
            'X-Amz-Date',
            'Date',
            'X-Amz-Security-Token',
            'X-Amz-Content-Sha256',
          ),
          fc.string({ maxLength: 80 }),
        ),
        { maxLength: 6 },
      ),
      (target, headers) =>
        orRefuse(Refused, () => parseRequestClaim({ method: 'GET', target, headers, body: Buffer.alloc(0) })),
    ),
  },
  {
    name: 'SQL lexer',
    property: fc.property(sql, fc.boolean(), (text, standardConformingStrings) => {
      let end = 0;
      for (const token of tokens(text, { standardConformingStrings })) {
        if (token.start !== end || token.end <= token.start) throw new Error('the tokens do not tile the text');
        end = token.end;
      }
      if (end !== text.length) throw new Error('the tokens end too early');
      for (const range of splitStatements(text, { standardConformingStrings })) {
        if (range.start > range.end || range.end > text.length) throw new Error('a statement lies outside the text');
      }
    }),
  },
  {
    name: 'AWS IAM statements',
    property: fc.property(sql, fc.boolean(), (text, standardConformingStrings) => {
      readAwsIamStatements(text, { standardConformingStrings });
      findReserved(text, { standardConformingStrings, role: 'app' });
    }),
  },
];
