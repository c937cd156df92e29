import type { CompiledPolicy, CompiledStatement } from './compile.ts';
import { OPERATORS } from './condition-operators.ts';
import { templateOf } from './parse-condition.ts';
import { isVariable } from './variables.ts';

/**
 * The context keys that policies refer to, in conditions and as policy variables: each once, as it was written where it
 * was met first. For GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy.
 */
export function contextKeysOf(policies: Iterable<CompiledPolicy>): string[] {
  const keys = new Map<string, string>();
  for (const { statements } of policies) {
    for (const statement of statements) {
      for (const key of statementKeys(statement)) {
        const lower = key.toLowerCase();
        if (!keys.has(lower)) keys.set(lower, key);
      }
    }
  }
  return [...keys.values()];
}

/** As written; a key may come more than once. */
export function statementKeys({ conditions, source }: CompiledStatement): string[] {
  const keys = variablesIn(source.resources?.patterns ?? [], source.variables);
  for (const { condition } of conditions) {
    keys.push(condition.key);
    keys.push(...variablesIn(condition.values, source.variables && OPERATORS[condition.operator].variables));
  }
  return keys;
}

function variablesIn(texts: readonly string[], variables: boolean): string[] {
  return texts.flatMap((text) =>
    templateOf(text, variables).flatMap((piece) => (isVariable(piece) ? piece.written : [])),
  );
}
