import { statSync } from 'node:fs';
import { ensureCertificates } from '../tls/authority.ts';
import { createTlsSettings, loadOperatorCertificates, type TlsSettings } from '../tls/context.ts';
import type { Options } from './options.ts';

/** Of a file's mode: written by its group, anything by others. A group may be made for reading keys. */
const OTHERS = 0o027;

/** The certificate in use. */
export interface Certificate {
  readonly tls: TlsSettings;
  /** What clients check it with; undefined: the authorities that their systems know. */
  readonly caFile: string | undefined;
  /** Reads the files again, those that the options name now. Throws when they are of no use; nothing has changed yet. */
  prepare(options: Options): Promise<ReadyCertificate>;
}

/** One that can be put to use at once. */
export interface ReadyCertificate {
  use(): void;
}

/**
 * The operator's own certificate where the options name one, else one of the local authority in `folder`, with the
 * `furtherNames` that clusters have. `warn` is told of a key that is not for its owner only.
 */
export async function openCertificate(
  options: Options,
  folder: string,
  now: () => Date,
  furtherNames: readonly string[] = [],
  warn: (text: string) => void = () => undefined,
): Promise<Certificate> {
  const load = async (options: Options) => {
    const { tlsCert, tlsKey } = options;
    if (tlsCert !== undefined && tlsKey !== undefined) {
      const pair = loadOperatorCertificates({ certFile: tlsCert, keyFile: tlsKey, caFile: options.tlsCa }, now());
      if ((statSync(tlsKey).mode & OTHERS) !== 0) warn(`--tls-key: ${tlsKey} can be read or written by other users`);
      return { tls: createTlsSettings(pair), caFile: pair.caFile };
    }
    const made = await ensureCertificates({ folder, names: names(options, furtherNames), now });
    return { tls: createTlsSettings(made), caFile: made.caFile };
  };
  let current = await load(options);
  return {
    get tls() {
      return current.tls;
    },
    get caFile() {
      return current.caFile;
    },
    async prepare(next) {
      const loaded = await load(next);
      return {
        use() {
          current = loaded;
        },
      };
    },
  };
}

/** Every name under which a cluster of this server can be reached; those of clusters to come by a wildcard. */
function names(
  { host, region, additionalRegion, clusterAlias }: Options,
  furtherNames: readonly string[],
): { dns: string[]; ip: string[] } {
  const aliases = [...clusterAlias.map(({ name }) => name), ...furtherNames];
  const isAddress = (name: string) => /^[\d.]+$/.test(name) || name.includes(':');
  const unspecified = ['0.0.0.0', '::'];
  const ip = new Set(
    ['127.0.0.1', '::1', ...[host, ...aliases].filter(isAddress)].filter((a) => !unspecified.includes(a)),
  );
  const endpoints = [region, ...additionalRegion].map((each) => `*.dsql.${each}.on.aws`);
  const dns = new Set(['localhost', ...endpoints, ...aliases.filter((name) => !isAddress(name))]);
  return { dns: [...dns], ip: [...ip] };
}
