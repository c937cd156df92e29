import { resolve } from 'node:path';
import { ConfigurationError } from '../config/configuration-error.ts';
import { PLACE, readFlags, readPlace, SWITCH, TEXT } from './flags.ts';
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
  const { values } = readFlags('hosts', argv, { write: SWITCH, remove: SWITCH, file: TEXT, ...PLACE });
  const { write = false, remove = false, file } = values;
  if (write && remove) throw new ConfigurationError('--remove: not together with --write');
  if (file !== undefined && !write && !remove) throw new ConfigurationError('--file: only with --write or --remove');
  if (file === '') throw new ConfigurationError('--file: is empty');
  return { dataDir: readPlace(values).dataDir, file: resolve(file ?? HOSTS_FILE), write, remove };
}
