import type { Audit } from '../audit/events.ts';
import type { Log } from '../audit/log.ts';
import { aliasComplaint } from '../clusters/names.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { Engine } from '../engine/port.ts';
import type { Iam } from '../iam/iam.ts';
import { applyGroup, applyPolicy, applyProvider, applyRole, applyUser, inOrderOfTrust } from './account.ts';
import { Applying } from './applying.ts';
import { applyCluster, applyClusterPolicy, type ClusterPlaces } from './clusters.ts';
import { applyDatabase } from './database.ts';
import { DECLARATION, DEFAULT_CLUSTER, type Declaration } from './declaration.ts';
import { below, checkShape } from './shape.ts';

/** The value of `declare` in a configuration file, as it was read. */
export interface DeclarationSource {
  /** How messages name the file. */
  file: string;
  /** What paths in it are relative to. */
  folder: string;
  content: unknown;
}

const ROOT = 'declare';

/** Checks what can be checked without a server. Throws ConfigurationError, which names the path in the file. */
export function readDeclaration({ file, content }: DeclarationSource): Declaration {
  const declared = inFile(file, () => checkShape(DECLARATION, content, ROOT));
  const lists = Object.entries(declared) as [string, readonly object[]][];
  for (const [kind, items] of lists) {
    const seen = new Set<string>();
    for (const [index, item] of items.entries()) {
      const { name, url } = item as { name?: string; url?: string };
      // IAM's names are unique without regard to case.
      const key = (name ?? url ?? '').toLowerCase();
      if (seen.has(key))
        throw new ConfigurationError(`${file}: ${below(below(ROOT, kind), index)}: ${key} is there twice`);
      seen.add(key);
    }
  }
  inFile(file, () => checkAliases(declared));
  return declared;
}

function checkAliases({ clusters = [] }: Declaration): void {
  const meant = new Set<string>();
  for (const [index, { name, aliases = [] }] of clusters.entries()) {
    for (const [place, alias] of aliases.entries()) {
      const at = below(below(below(below(ROOT, 'clusters'), index), 'aliases'), place);
      const complaint = aliasComplaint(alias, name === DEFAULT_CLUSTER ? 'default' : 'another');
      if (complaint !== undefined) throw new ConfigurationError(`${at}: ${complaint}`);
      if (meant.has(alias.toLowerCase())) throw new ConfigurationError(`${at}: ${alias} is there twice`);
      meant.add(alias.toLowerCase());
    }
  }
}

export interface ApplyOptions {
  source: DeclarationSource;
  iam: Iam;
  places: ClusterPlaces;
  /** Runs `work` with a database that is awake, and stays so. */
  inDatabase(database: string, work: (engine: Engine) => Promise<void>): Promise<void>;
  env: NodeJS.ProcessEnv;
  log: Log;
  audit: Pick<Audit, 'record'>;
}

/**
 * Makes what is declared and missing, and sets right what differs from it, in the order of what needs what; nothing is
 * deleted. What is right already is not touched. Returns the host names that the declared clusters have beside their
 * endpoints; undefined stands for the default cluster. Throws ConfigurationError, which names the path in the file; what came before has happened then.
 */
export async function applyDeclaration(options: ApplyOptions): Promise<ReadonlyMap<string, string | undefined>> {
  const { source, iam, places, env, log, audit } = options;
  const declared = readDeclaration(source);
  const applying = new Applying({ iam, source, region: places.regions[0] ?? '', log, audit });
  const { clusters = [], oidcProviders = [], policies = [], groups = [], users = [], roles = [] } = declared;
  const each = async <T>(
    kind: keyof Declaration,
    items: readonly T[],
    work: (path: string, item: T) => Promise<void>,
  ) => {
    for (const [index, item] of items.entries()) await work(below(below(ROOT, kind), index), item);
  };
  await inFileAsync(source.file, async () => {
    await each('clusters', clusters, (path, item) => applyCluster(applying, path, item, places));
    await each('oidcProviders', oidcProviders, (path, item) => applyProvider(applying, path, item));
    await each('policies', policies, (path, item) => applyPolicy(applying, path, item));
    await each('groups', groups, (path, item) => applyGroup(applying, path, item));
    await each('users', users, (path, item) => applyUser(applying, path, item, env));
    for (const { role, index } of inOrderOfTrust(applying, roles)) {
      await applyRole(applying, below(below(ROOT, 'roles'), index), role);
    }
    await each('clusters', clusters, (path, item) => applyClusterPolicy(applying, path, item, places));
    await each('clusters', clusters, async (path, item) => {
      if (item.databaseRoles === undefined && item.sql === undefined) return;
      const database = applying.clusters.get(item.name)?.database as string;
      await options.inDatabase(database, (engine) => applyDatabase(applying, path, item, engine));
    });
  });
  return new Map(
    clusters.flatMap(({ name, aliases = [] }) =>
      aliases.map((alias) => {
        const id = name === DEFAULT_CLUSTER ? undefined : applying.clusters.get(name)?.id;
        return [alias.toLowerCase(), id] as const;
      }),
    ),
  );
}

/** The host names that the declaration gives clusters: certificates have them, too. */
export function declaredAliases(source: DeclarationSource | undefined): string[] {
  if (!source) return [];
  return (readDeclaration(source).clusters ?? []).flatMap(({ aliases = [] }) =>
    aliases.map((name) => name.toLowerCase()),
  );
}

function inFile<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw named(file, error);
  }
}

async function inFileAsync(file: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw named(file, error);
  }
}

function named(file: string, error: unknown): unknown {
  return error instanceof ConfigurationError ? new ConfigurationError(`${file}: ${error.message}`) : error;
}
