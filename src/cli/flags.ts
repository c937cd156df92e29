import { parseArgs } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { type Options, readOptions } from '../config/options.ts';

/** Flags of commands that are no options of the server. */
export const TEXT = { type: 'string' } as const;
export const SWITCH = { type: 'boolean' } as const;
/** What says which data directory a command is about. */
export const PLACE = { 'data-dir': TEXT, config: TEXT } as const;

type Flags = Readonly<Record<string, typeof TEXT | typeof SWITCH>>;
type Values<F extends Flags> = {
  readonly [Name in keyof F]?: (F[Name] extends typeof SWITCH ? boolean : string) | undefined;
};

/** Throws ConfigurationError, which names the command, for anything but these flags and, where there may be any, arguments. */
export function readFlags<const F extends Flags>(
  command: string,
  argv: readonly string[],
  flags: F,
  { allowPositionals = false } = {},
): { values: Values<F>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], allowPositionals, options: { ...flags } });
    return { values: values as Values<F>, positionals };
  } catch (error) {
    throw new ConfigurationError(`${command}: ${(error as Error).message}`);
  }
}

/** The options of the data directory that the flags, the environment or the file name. Throws ConfigurationError. */
export function readPlace(values: Values<typeof PLACE>): Options & { dataDir: string } {
  const flags = (['data-dir', 'config'] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  const { options } = readOptions('env', flags, process.env, process.cwd());
  return { ...options, dataDir: options.dataDir as string };
}
