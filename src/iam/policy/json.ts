import { syntax } from './malformed.ts';

/**
 * JSON as policies need it. `JSON.parse` keeps the last of two equal keys, so a reader who trusts the first is
 * deceived; here a repeated key is refused. Objects become maps, so that `__proto__` is a name like any other.
 */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** Twice what the deepest valid policy needs (document, statements, statement, condition, operator, key, values). */
const MAX_DEPTH = 14;
/** More values than fit in the largest policy that any quota admits. */
const MAX_VALUES = 20_000;
/** `policyDocumentType` in the IAM service model. */
const MAX_LENGTH = 131_072;

const SPACE = /[ \t\n\r]*/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]{0,30})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?/y;
const WORD = /true|false|null/y;

/** Throws Refused `malformed-policy` for anything that RFC 8259 does not allow, repeated keys, and excess. */
export function parseJson(text: string): Json {
  if (text.length > MAX_LENGTH) throw syntax(`longer than ${MAX_LENGTH} characters`);
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return value instanceof Map;
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

const spans = new WeakMap<JsonObject, { start: number; end: number }>();

/** Where an object that `parseJson` made stands in its text. */
export function spanOf(object: JsonObject): { start: number; end: number } {
  return spans.get(object) ?? { start: 0, end: 0 };
}

class Reader {
  readonly #text: string;
  #at = 0;
  #values = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(depth: number): Json {
    if (depth > MAX_DEPTH) throw syntax(`nested deeper than ${MAX_DEPTH}`);
    if (++this.#values > MAX_VALUES) throw syntax(`more than ${MAX_VALUES} values`);
    this.#take(SPACE);
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#atom();
    }
  }

  end(): void {
    this.#take(SPACE);
    if (this.#at < this.#text.length) throw this.#unexpected();
  }

  #object(depth: number): JsonObject {
    const start = this.#at;
    const members = new Map<string, Json>();
    this.#at += 1;
    if (this.#next('}')) return this.#spanned(members, start);
    do {
      this.#take(SPACE);
      const key = this.#string();
      if (members.has(key)) throw syntax(`the key "${key.slice(0, 64)}" stands twice in one object`);
      if (!this.#next(':')) throw this.#unexpected();
      members.set(key, this.value(depth + 1));
    } while (this.#next(','));
    if (!this.#next('}')) throw this.#unexpected();
    return this.#spanned(members, start);
  }

  #spanned(members: JsonObject, start: number): JsonObject {
    spans.set(members, { start, end: this.#at });
    return members;
  }

  #array(depth: number): readonly Json[] {
    const items: Json[] = [];
    this.#at += 1;
    if (this.#next(']')) return items;
    do items.push(this.value(depth + 1));
    while (this.#next(','));
    if (!this.#next(']')) throw this.#unexpected();
    return items;
  }

  #string(): string {
    const literal = this.#take(STRING);
    if (literal === undefined) throw this.#unexpected();
    return JSON.parse(literal) as string;
  }

  #atom(): Json {
    const word = this.#take(WORD) ?? this.#take(NUMBER);
    if (word === undefined) throw this.#unexpected();
    return JSON.parse(word) as Json;
  }

  /** Whether the next token is this punctuation; if so it is consumed. */
  #next(mark: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unexpected() {
    return syntax(
      this.#at < this.#text.length ? `unexpected character at offset ${this.#at}` : 'the text ends too early',
    );
  }
}
