import { Refused } from '../../refused.ts';
import type { Principal } from './document.ts';
import { isArray, isObject, type Json } from './json.ts';

const ACCOUNT = /^\d{12}$/;
const ROOT = /^arn:aws:iam::(\d{12}):root$/;
const ENTITY = /^arn:aws:iam::(\d{12}):(user|role)(\/(?:[!-~]{1,510}\/)?)([\w+=,.@-]{1,64})$/;
const SESSION = /^arn:aws:sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/;
const SERVICE = /^[a-z0-9][a-z0-9.-]{0,126}\.amazonaws\.com(?:\.cn)?$/;
const MAX_PRINCIPALS = 200;

/**
 * The Principal element of a trust policy: `"*"`, or an object of `AWS` and `Service` with a string or a list each.
 * Wildcards inside an ARN are refused, as IAM does. Throws Refused `malformed-policy`.
 */
export function parsePrincipal(value: Json): readonly Principal[] {
  if (value === '*') return [{ type: 'everyone' }];
  if (!isObject(value) || value.size === 0) throw malformed('the element Principal must be "*" or an object');
  const principals: Principal[] = [];
  for (const [type, names] of value) {
    if (type !== 'AWS' && type !== 'Service') {
      const known = type === 'Federated' || type === 'CanonicalUser';
      throw malformed(
        known ? `the Principal type ${type} is not supported` : `unknown Principal type "${type.slice(0, 64)}"`,
      );
    }
    const list = isArray(names) ? names : [names];
    if (list.length === 0) throw malformed(`the Principal type ${type} names nobody`);
    for (const name of list) {
      if (typeof name !== 'string') throw malformed(`the Principal type ${type} takes strings`);
      principals.push(type === 'AWS' ? awsPrincipal(name) : servicePrincipal(name));
    }
  }
  if (principals.length > MAX_PRINCIPALS) throw malformed(`a statement names more than ${MAX_PRINCIPALS} principals`);
  return principals;
}

/** What IAM answers when a principal is no ARN, or names a user or role that does not exist. */
export function invalidPrincipal(type: 'AWS' | 'SERVICE', name: string): Refused<'malformed-policy'> {
  const say = `Invalid principal in policy: "${type}":"${name.slice(0, 256)}"`;
  return new Refused('malformed-policy', { say, detail: say });
}

function awsPrincipal(name: string): Principal {
  if (name === '*') return { type: 'everyone' };
  if (ACCOUNT.test(name)) return { type: 'account', account: name };
  const root = ROOT.exec(name);
  if (root) return { type: 'account', account: root[1]! };
  const session = SESSION.exec(name);
  if (session) return { type: 'session', account: session[1]!, roleName: session[2]!, arn: name };
  const entity = ENTITY.exec(name);
  if (!entity) throw invalidPrincipal('AWS', name);
  const [, account, type, path, entityName] = entity;
  return { type: type as 'user' | 'role', account: account!, path: path!, name: entityName!, arn: name };
}

function servicePrincipal(service: string): Principal {
  if (!SERVICE.test(service)) throw invalidPrincipal('SERVICE', service);
  return { type: 'service', service };
}

function malformed(detail: string): Refused<'malformed-policy'> {
  return new Refused('malformed-policy', { say: `Syntax error in policy: ${detail}.`, detail });
}
