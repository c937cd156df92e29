import type { Refused } from '../../refused.ts';
import type { Principal } from './document.ts';
import { isArray, isObject, type Json } from './json.ts';
import { malformed, quoted, syntax } from './malformed.ts';

const ACCOUNT = /^\d{12}$/;
const ROOT = /^arn:aws:iam::(\d{12}):root$/;
const ENTITY = /^arn:aws:iam::(\d{12}):(user|role)(\/(?:[!-~]{1,510}\/)?)([\w+=,.@-]{1,64})$/;
const SESSION = /^arn:aws:sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/;
const FEDERATED_USER = /^arn:aws:sts::(\d{12}):federated-user\/[\w+=,.@-]{2,32}$/;
const PROVIDER_ARN = /^arn:aws:iam::\d{12}:(?:oidc|saml)-provider\/[\w./:=%-]{1,255}$/;
/** A provider that every account knows: `accounts.google.com`. */
const PROVIDER_NAME = /^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}$/;
const SERVICE = /^[a-z0-9][a-z0-9.-]{0,126}\.amazonaws\.com(?:\.cn)?$/;
const MAX_PRINCIPALS = 200;

type Kind = 'AWS' | 'Federated' | 'Service';

const READERS: Readonly<Record<Kind, (name: string) => Principal>> = {
  AWS: awsPrincipal,
  Federated: federatedPrincipal,
  Service: servicePrincipal,
};

/**
 * A Principal or NotPrincipal element: `"*"`, or an object of `AWS`, `Federated` and `Service` with a string or a list
 * each. Wildcards inside an ARN are refused, as IAM does. Throws Refused `malformed-policy`.
 */
export function parsePrincipal(element: 'Principal' | 'NotPrincipal', value: Json): readonly Principal[] {
  if (value === '*') return [{ type: 'everyone' }];
  if (!isObject(value) || value.size === 0) throw syntax(`the element ${element} must be "*" or an object`);
  const principals: Principal[] = [];
  for (const [type, names] of value) {
    if (type === 'CanonicalUser') throw syntax('the Principal type CanonicalUser is not supported');
    if (!Object.hasOwn(READERS, type)) throw syntax(`unknown Principal type ${quoted(type)}`);
    const list = isArray(names) ? names : [names];
    if (list.length === 0) throw syntax(`the Principal type ${type} names nobody`);
    for (const name of list) {
      if (typeof name !== 'string') throw syntax(`the Principal type ${type} takes strings`);
      principals.push(READERS[type as Kind](name));
    }
  }
  if (principals.length > MAX_PRINCIPALS) throw syntax(`a statement names more than ${MAX_PRINCIPALS} principals`);
  return principals;
}

/** What IAM answers when a principal is no ARN, or names a user or role that does not exist. */
export function invalidPrincipal(type: 'AWS' | 'FEDERATED' | 'SERVICE', name: string): Refused<'malformed-policy'> {
  return malformed(`Invalid principal in policy: "${type}":"${name.slice(0, 256)}"`);
}

function awsPrincipal(name: string): Principal {
  if (name === '*') return { type: 'everyone' };
  if (ACCOUNT.test(name)) return { type: 'account', account: name };
  const root = ROOT.exec(name);
  if (root) return { type: 'account', account: root[1]! };
  const session = SESSION.exec(name);
  if (session) return { type: 'session', account: session[1]!, roleName: session[2]!, arn: name };
  const federated = FEDERATED_USER.exec(name);
  if (federated) return { type: 'federated-user', account: federated[1]!, arn: name };
  const entity = ENTITY.exec(name);
  if (!entity) throw invalidPrincipal('AWS', name);
  const [, account, type, path, entityName] = entity;
  return { type: type as 'user' | 'role', account: account!, path: path!, name: entityName!, arn: name };
}

function federatedPrincipal(provider: string): Principal {
  if (!PROVIDER_ARN.test(provider) && !PROVIDER_NAME.test(provider)) throw invalidPrincipal('FEDERATED', provider);
  return { type: 'federated', provider };
}

function servicePrincipal(service: string): Principal {
  if (!SERVICE.test(service)) throw invalidPrincipal('SERVICE', service);
  return { type: 'service', service };
}
