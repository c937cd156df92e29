/** Tokens and signed HTTP requests: whatever is changed, nothing is verified but what was signed. */
import { Refused } from '../../../src/refused.ts';
import { presignToken } from '../../../src/sigv4/presign.ts';
import { parseRequestClaim, type SignedHttpRequest, verifyRequest } from '../../../src/sigv4/request.ts';
import { parseToken } from '../../../src/sigv4/token.ts';
import { verifyToken } from '../../../src/sigv4/verify.ts';
import { allowing, must, same, type Target } from '../target.ts';

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
/** What a token means. A host's letters have no case, and botocore signs it without the port that every URL has. */
const meaning = (text: string): unknown => {
  const claim = parseToken(text);
  return { ...claim, host: claim.host.toLowerCase().replace(/:443$/, '') };
};
const MEANINGS = TOKENS.map(meaning);

export const token: Target = {
  seeds: [...TOKENS, `https://${TOKENS[0]}`],
  vocabulary: ['&', '=', '%2F', '%00', '%', '?', '/', '+', '#', '@', 'X-Amz-Date=', 'x-amz-date=', 'DbConnect', ':443'],
  maxLength: 20_000,
  check(text) {
    const claim = allowing(Refused, () => parseToken(text));
    if (claim === undefined) return;
    const verified = allowing(Refused, () => {
      verifyToken(claim, 'secret', { now: SIGNED_AT, region: 'us-east-1' });
      return true;
    });
    if (verified) {
      const read = meaning(text);
      must(
        MEANINGS.some((known) => same(known, read)),
        'a changed token is not verified',
      );
    }
  },
};

/** The worked example of the AWS General Reference. */
const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const NOW = new Date('2015-08-30T12:36:00Z');
const SIGNATURE = '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7';
const REQUEST = [
  'GET /?Action=ListUsers&Version=2010-05-08',
  'Host: iam.amazonaws.com',
  'Content-Type: application/x-www-form-urlencoded; charset=utf-8',
  'X-Amz-Date: 20150830T123600Z',
  `Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=${SIGNATURE}`,
  '',
  '',
].join('\n');
const PRESIGNED = [
  `GET /?Action=ListUsers&Version=2010-05-08&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fiam%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=content-type%3Bhost&X-Amz-Signature=37ac2f4fde00b0ac9bd9eadeb459b1bbee224158d66e7ae5fcadb70b2d181d02`,
  'Host: iam.amazonaws.com',
  'Content-Type: application/x-www-form-urlencoded; charset=utf-8',
  '',
  '',
].join('\n');

/** Request line, headers, an empty line and the body. */
function httpRequest(text: string): SignedHttpRequest {
  const end = text.indexOf('\n\n');
  const [line = '', ...lines] = text.slice(0, end < 0 ? undefined : end).split('\n');
  const space = line.indexOf(' ');
  return {
    method: line.slice(0, Math.max(space, 0)),
    target: line.slice(space + 1),
    headers: lines.map((header) => {
      const colon = header.indexOf(':');
      return [header.slice(0, Math.max(colon, 0)), header.slice(colon + 1).trimStart()] as const;
    }),
    body: Buffer.from(end < 0 ? '' : text.slice(end + 2), 'latin1'),
  };
}

const SIGNED_TEXTS = [REQUEST, PRESIGNED].flatMap((text) => parseRequestClaim(httpRequest(text))!.stringsToSign);

export const request: Target = {
  seeds: [REQUEST, PRESIGNED],
  vocabulary: ['&', '=', '%', ';', ',', '/', ' ', 'x-amz-', '../', '%2e', '\n\n', 'Transfer-Encoding: chunked'].concat(
    '\nHost: x',
    '\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD',
    '&X-Amz-Expires=604800',
    '&x-amz-date=20150830T123600Z',
    'http://x',
  ),
  check(text) {
    const claim = allowing(Refused, () => parseRequestClaim(httpRequest(text)));
    if (claim === undefined) return;
    const verified = allowing(Refused, () => {
      verifyRequest(claim, SECRET, { now: NOW });
      return true;
    });
    if (verified) {
      must(
        claim.stringsToSign.some((signed) => SIGNED_TEXTS.includes(signed)),
        'a changed request is not verified',
      );
    }
  },
};
