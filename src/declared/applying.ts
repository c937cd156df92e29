import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Audit } from '../audit/events.ts';
import type { Log } from '../audit/log.ts';
import { clusterArn, clusterEndpoint } from '../clusters/names.ts';
import { ConfigurationError } from '../config/configuration-error.ts';
import type { Iam } from '../iam/iam.ts';
import { type RefusalKind, Refused } from '../refused.ts';
import type { ClusterRecord } from '../state/records.ts';
import type { Document } from './shape.ts';

/** What is refused for reasons that no other file would change. */
const NOT_OF_THE_FILE: ReadonlySet<RefusalKind> = new Set([
  'engine-unavailable',
  'service-unavailable',
  'shutting-down',
]);
/** Files larger than this, in bytes, are no policies. */
const MAX_DOCUMENT = 256 * 1024;
/** The placeholder of the account's id. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it stands in JSON, not in a template.
export const ACCOUNT = '${postern:account}';
const PLACEHOLDER = /\$\{postern:([^}]*)\}/g;

/** What every part of a declaration is applied with. */
export class Applying {
  readonly iam: Iam;
  readonly #folder: string;
  readonly #region: string;
  readonly #log: Log;
  readonly #audit: Pick<Audit, 'record'>;
  readonly #file: string;
  /** Those that are declared, by the names that the declaration has for them. */
  readonly clusters = new Map<string, Readonly<ClusterRecord>>();

  constructor(options: {
    iam: Iam;
    source: { file: string; folder: string };
    region: string;
    log: Log;
    audit: Pick<Audit, 'record'>;
  }) {
    this.iam = options.iam;
    this.#folder = options.source.folder;
    this.#file = options.source.file;
    this.#audit = options.audit;
    this.#region = options.region;
    this.#log = options.log;
  }

  /** Runs a step. What it is refused is a mistake in the file: throws ConfigurationError with the path and the reason. */
  async at<T>(path: string, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refused) || NOT_OF_THE_FILE.has(error.kind)) throw error;
      throw new ConfigurationError(`${path}: ${error.say ?? error.detail}`);
    }
  }

  /** To be told of everything that was not as it was declared, when it is. */
  changed(path: string, what: string): void {
    this.#log.info({ path, change: what }, 'declared');
    this.#audit.record({ event: 'declaration.changed', file: this.#file, path, change: what });
  }

  /** An absolute path: those in the file are relative to its folder. */
  file(path: string): string {
    return resolve(this.#folder, path);
  }

  /** A policy as JSON, with its placeholders filled in. Throws ConfigurationError. */
  async document(value: Document, path: string): Promise<{ text: string; value: unknown }> {
    const content = typeof value === 'string' ? await this.#readDocument(value, path) : value;
    const text = this.fill(JSON.stringify(content), path);
    return { text, value: JSON.parse(text) };
  }

  async #readDocument(name: string, path: string): Promise<unknown> {
    try {
      const text = await readFile(this.file(name), 'utf8');
      if (text.length > MAX_DOCUMENT) throw new Error(`larger than ${MAX_DOCUMENT} bytes`);
      const content: unknown = JSON.parse(text);
      if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content;
      throw new Error('must be a JSON object');
    } catch (error) {
      throw new ConfigurationError(`${path}: ${name}: ${(error as Error).message}`);
    }
  }

  /**
   * Fills in what only the server knows: `${postern:account}`, `${postern:region}` (the home region) and, of a declared
   * cluster, `${postern:cluster.NAME.arn}`, `.id` and `.endpoint`. Variables of IAM stay: none begins with `postern:`.
   * Nothing that is filled in has a character that JSON would escape. Throws ConfigurationError.
   */
  fill(text: string, path: string): string {
    return text.replace(PLACEHOLDER, (whole, name: string) => {
      const value = this.#valueOf(name);
      if (value === undefined) throw new ConfigurationError(`${path}: ${whole} means nothing`);
      return value;
    });
  }

  #valueOf(name: string): string | undefined {
    const { account } = this.iam;
    if (name === 'account') return account;
    if (name === 'region') return this.#region;
    const [, clusterName = '', member] = /^cluster\.([a-z0-9-]+)\.(arn|id|endpoint)$/.exec(name) ?? [];
    const cluster = this.clusters.get(clusterName);
    if (!cluster) return undefined;
    const { id, region } = cluster;
    if (member === 'id') return id;
    return member === 'arn' ? clusterArn(id, { region, account }) : clusterEndpoint(id, region);
  }
}
