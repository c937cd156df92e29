/** `bytes` bytes that nobody can foretell. */
export type Random = (bytes: number) => Buffer;

/** RFC 4648 base32: 32 letters, so that five bits of a byte choose one without bias. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/**
 * Unique ids as IAM makes them (IAM User Guide, "Unique identifiers"): AKIA and ASIA are long-term and temporary access
 * keys of 20 characters; AIDA users, AGPA groups, AROA roles and ANPA managed policies have 21.
 */
export function uniqueId(prefix: 'AKIA' | 'ASIA' | 'AIDA' | 'AGPA' | 'AROA' | 'ANPA', random: Random): string {
  const length = prefix === 'AKIA' || prefix === 'ASIA' ? 16 : 17;
  let id = prefix as string;
  for (const byte of random(length)) id += ALPHABET[byte & 31];
  return id;
}

/** 240 bits in the 40 characters of base64 that an AWS secret access key has. */
export function secretAccessKey(random: Random): string {
  return random(30).toString('base64');
}
