import type { Context } from './context.ts';
import type { Part } from './wildcard.ts';

/**
 * Policy variables (IAM User Guide, "IAM policy elements: Variables and tags"): `${key}`, `${key, 'default'}`, and `${*}`,
 * `${?}`, `${$}` for the characters themselves. What a variable stands for is text: a `*` in a tag's value is a star and no
 * wildcard, and `${` in it is no variable.
 */
export type Piece = Part | { variable: string; written: string; fallback: string | undefined };

const SPECIAL = /\$\{([*?$])\}/y;
/** A quote inside a default value is written twice. Key and value may have spaces around them. */
const VARIABLE = /\$\{([^${},'*?]+)(?:,\s*'((?:[^']|'')*)'\s*)?\}/y;

/** Undefined where a `${` begins nothing that is a variable. */
export function parseTemplate(text: string): readonly Piece[] | undefined {
  const pieces: Piece[] = [];
  let at = 0;
  for (;;) {
    const next = text.indexOf('${', at);
    if (next > at) pieces.push(text.slice(at, next));
    if (next === -1) {
      if (at < text.length) pieces.push(text.slice(at));
      return pieces;
    }
    const special = taken(SPECIAL, text, next);
    const variable = special ?? taken(VARIABLE, text, next);
    if (!variable) return undefined;
    const written = variable[1]!.trim();
    if (written === '') return undefined;
    if (special) pieces.push({ literal: written });
    else pieces.push({ variable: written.toLowerCase(), written, fallback: variable[2]?.replaceAll("''", "'") });
    at = next + variable[0].length;
  }
}

export function isVariable(piece: Piece): piece is Extract<Piece, { variable: string }> {
  return typeof piece === 'object' && 'variable' in piece;
}

/** The template without variables; undefined when it has one. */
export function staticParts(pieces: readonly Piece[]): readonly Part[] | undefined {
  return pieces.some(isVariable) ? undefined : (pieces as readonly Part[]);
}

/** Undefined where a variable has no value and no default: several values are none, as one of them cannot be chosen. */
export function resolve(pieces: readonly Piece[], context: Context): readonly Part[] | undefined {
  const parts: Part[] = [];
  for (const piece of pieces) {
    if (!isVariable(piece)) {
      parts.push(piece);
      continue;
    }
    const values = context.get(piece.variable);
    const literal =
      values?.length === 1 ? values[0] : values === undefined || values.length === 0 ? piece.fallback : undefined;
    if (literal === undefined) return undefined;
    parts.push({ literal });
  }
  return parts;
}

function taken(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}
