import { Refused } from '../../refused.ts';

/** A policy that is refused with one of IAM's own texts. */
export function malformed(say: string): Refused<'malformed-policy'> {
  return new Refused('malformed-policy', { say, detail: say });
}

/** IAM says "Syntax errors in policy." and no more; here the error is named. */
export function syntax(detail: string): Refused<'malformed-policy'> {
  return malformed(`Syntax errors in policy: ${detail}.`);
}

/** Of what an attacker may have written, enough to recognise it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 128 ? `${text.slice(0, 128)}…` : text);
}
