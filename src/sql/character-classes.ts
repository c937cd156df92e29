/** What a byte can be in PostgreSQL's SQL (src/backend/parser/scan.l). High bytes are letters, whatever the encoding. */

export const SPACE = 1;
export const NEWLINE = 2;
export const LETTER = 4;
export const DIGIT = 8;
export const OPERATOR = 16;
/** Operators with one of these may end in + or -. */
export const UNUSUAL = 32;
export const SELF = 64;
export const HEX = 128;

export const CLASS = new Uint8Array(256);
for (const [characters, flags] of [
  [' \t\f\v', SPACE],
  ['\n\r', SPACE | NEWLINE],
  ['abcdefABCDEF', LETTER | HEX],
  ['ghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ_', LETTER],
  ['0123456789', DIGIT | HEX],
  ['+-*/<>=', OPERATOR],
  ['~!@#%^&|`?', OPERATOR | UNUSUAL],
  [',()[].;:', SELF],
] as const) {
  for (const c of characters) CLASS[c.charCodeAt(0)] = flags;
}
CLASS.fill(LETTER, 0x80);
