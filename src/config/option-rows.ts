import { LIMIT_ROWS, type LimitOptions } from './limit-options.ts';
import type { OptionRow } from './option-row.ts';
import { RECORD_ROWS, type RecordOptions } from './record-options.ts';
import { SERVER_ROWS, type ServerOptions } from './server-options.ts';

/** What can be said in three places: by a flag, by a variable and in the file. */
export type GivenOptions = ServerOptions & LimitOptions & RecordOptions;
export type OptionKey = keyof GivenOptions;

export const ROWS: Record<OptionKey, OptionRow> = { ...SERVER_ROWS, ...LIMIT_ROWS, ...RECORD_ROWS };

export const KEYS = Object.keys(ROWS) as OptionKey[];

export const kebab = (key: string) => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const variable = (key: string) => `POSTERN_${kebab(key).replaceAll('-', '_').toUpperCase()}`;
