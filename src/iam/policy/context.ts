/**
 * The request's context: key in lower case -> values. A key without values is a key that is not there (IAM User Guide,
 * "Condition operator to check existence of condition keys").
 */
export interface Context {
  get(key: string): readonly string[] | undefined;
}

/** Of keys in any case. */
export function contextOf(record: Readonly<Record<string, readonly string[]>>): Context {
  const values = new Map<string, readonly string[]>();
  for (const [key, list] of Object.entries(record)) values.set(key.toLowerCase(), list);
  return values;
}
