/** A piece of a text and what stands for it. Client SQL is never written anew: all else stays as it came. */
export interface Splice {
  /** Byte offsets. */
  start: number;
  end: number;
  replacement: string;
}

/** `splices` lie one after the other. */
export function splice(sql: string, splices: readonly Splice[]): string {
  let result = '';
  let at = 0;
  for (const { start, end, replacement } of splices) {
    result += sql.slice(at, start) + replacement;
    at = end;
  }
  return result + sql.slice(at);
}
