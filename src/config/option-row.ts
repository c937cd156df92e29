import { resolve } from 'node:path';

/** One option as data: flag, variable, file key, validation and help all come from its row. */
export interface OptionRow {
  /** Placeholder in the help. */
  value: string;
  /** As text, as it would be given; undefined: none. */
  default?: string;
  execDefault?: string;
  help: string;
  repeatable?: true;
  /** Whether a server that runs takes a new value; else it is for the next start. */
  reload?: true;
  /** For editors: what JSON Schema says of a value in the file, where it is more than text. */
  schema?: object;
  /** Reads one given value. Throws an Error that says what is wrong with it. */
  read: (text: string, cwd: string) => unknown;
}

export const path = (text: string, cwd: string) => {
  if (text === '') throw new Error('is empty');
  return resolve(cwd, text);
};

export const port = (text: string) => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new Error(`${JSON.stringify(text)} is no port (0 to 65535)`);
  return Number(text);
};

export const whole = (least: number, most: number) => (text: string) => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new Error(`${JSON.stringify(text)} is no whole number from ${least} to ${most}`);
  return Number(text);
};

export const wholeSchema = (minimum: number, maximum: number) => ({ type: 'integer', minimum, maximum });
export const matching = (pattern: RegExp, what: string) => (text: string) => {
  if (!pattern.test(text)) throw new Error(`${JSON.stringify(text)} is no ${what}`);
  return text;
};

export const oneOf = (values: readonly string[]) => (text: string) => {
  if (!values.includes(text)) throw new Error(`${JSON.stringify(text)} is none of ${values.join(', ')}`);
  return text;
};

/** An AWS region's name. */
export const region = matching(/^(?=.{1,20}$)[a-z]{2,4}(-[a-z]+)+-\d{1,2}$/, 'region');

/** In s; longer than anybody waits, and short enough for a timer. */
export const WEEK = 604_800;
