import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigurationError } from '../config/configuration-error.ts';
import { readOptions } from '../config/options.ts';
import { editFile, HOSTS_FILE, withLines, withoutLines } from './hosts-file.ts';
import { askOperator } from './operator.ts';

/** What the server says: where its listener is reached, and the names that must lead there. */
export interface Hosts {
  address: string;
  names: readonly string[];
}

/** `postern hosts`: the clusters' endpoints as lines of a hosts file. Resolves to the exit status. */
export async function runHosts(argv: readonly string[]): Promise<number> {
  const { dataDir, file, write, remove } = readArguments(argv);
  if (remove) {
    const changed = await edit(file, dataDir, (text) => withoutLines(text, dataDir));
    process.stderr.write(`postern: ${file}: ${changed ? 'the lines were removed' : 'there are no lines to remove'}\n`);
    return 0;
  }
  const hosts = await askOperator<Hosts>(dataDir, '/hosts');
  if (!hosts) throw new Error('the server has no names to give');
  const lines = hosts.names.map((name) => `${hosts.address} ${name}`);
  if (!write) {
    process.stdout.write(lines.map((line) => `${line}\n`).join(''));
    return 0;
  }
  const changed = await edit(file, dataDir, (text) => withLines(text, dataDir, lines));
  const names = `${lines.length} ${lines.length === 1 ? 'name' : 'names'}`;
  process.stderr.write(`postern: ${file}: ${changed ? `${names} set` : `${names}, as it was`}\n`);
  return 0;
}

async function edit(file: string, dataDir: string, change: (text: string) => string): Promise<boolean> {
  try {
    return await editFile(file, change);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      throw new Error(`${file}: this user may not change it; as root, name the data directory: --data-dir ${dataDir}`);
    }
    throw new Error(`${file}: ${code === 'EROFS' ? 'it is on a read-only file system' : message}`);
  }
}

function readArguments(argv: readonly string[]) {
  const { values } = parse(argv);
  const { write = false, remove = false, file } = values;
  if (write && remove) throw new ConfigurationError('--remove: not together with --write');
  if (file !== undefined && !write && !remove) throw new ConfigurationError('--file: only with --write or --remove');
  if (file === '') throw new ConfigurationError('--file: is empty');
  const rest = (['data-dir', 'config'] as const).flatMap((name) => {
    const value = values[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  const { options } = readOptions('env', rest, process.env, process.cwd());
  return { dataDir: options.dataDir as string, file: resolve(file ?? HOSTS_FILE), write, remove };
}

function parse(argv: readonly string[]) {
  const option = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: { write: flag, remove: flag, file: option, 'data-dir': option, config: option },
    });
  } catch (error) {
    throw new ConfigurationError(`hosts: ${(error as Error).message}`);
  }
}
