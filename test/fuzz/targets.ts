/** Everything that reads bytes or text from outside. One row a target; what must hold stands with it. */
import type { Target } from './target.ts';
import { auditLine, declaration, hosts, manifest, postmasterPid, startArguments } from './targets/files.ts';
import { identityToken, keyAddress, keySet, sessionToken } from './targets/identities.ts';
import { arn, policy } from './targets/policies.ts';
import { json, query } from './targets/requests.ts';
import { request, token } from './targets/signatures.ts';
import { awsIam, classification, lexer } from './targets/sql.ts';
import { fields, frames, startup } from './targets/wire.ts';

export const TARGETS: Readonly<Record<string, Target>> = {
  startup,
  frames,
  fields,
  token,
  request,
  query,
  json,
  policy,
  arn,
  lexer,
  'aws-iam': awsIam,
  classification,
  'identity-token': identityToken,
  'key-set': keySet,
  'key-address': keyAddress,
  'session-token': sessionToken,
  'audit-line': auditLine,
  manifest,
  declaration,
  hosts,
  'postmaster-pid': postmasterPid,
  arguments: startArguments,
};
