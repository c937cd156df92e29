import type { RoleCatalog, SchemaFacts } from '../roles/role-catalog.ts';
import type { Statement } from '../sql/classify.ts';
import type { Relation } from '../sql/statement-findings.ts';
import { Conflicts } from '../transactions/conflicts.ts';
import { Injection, type InjectionOptions, type InjectionRule } from '../transactions/injection.ts';
import { JournalSpace } from '../transactions/journal.ts';

/** Functions of PostgreSQL that make more bytes than they are given. */
const GROWING: ReadonlySet<string> = new Set([
  'array_to_string',
  'concat',
  'concat_ws',
  'format',
  'json_agg',
  'json_build_array',
  'json_build_object',
  'jsonb_agg',
  'jsonb_build_array',
  'jsonb_build_object',
  'lpad',
  'regexp_replace',
  'repeat',
  'replace',
  'rpad',
  'string_agg',
]);

const NO_FACTS: SchemaFacts = { functions: new Set(), calling: new Set(), cascading: new Set() };

/** The transactions of one cluster's database, and what its schema says of the statements in them. */
export class ClusterTransactions {
  readonly conflicts = new Conflicts();
  readonly journals: JournalSpace;
  readonly #catalog: Pick<RoleCatalog, 'blockers' | 'schemaFacts'>;
  readonly #mayInject: boolean;
  #injection: Injection | undefined;
  #facts: SchemaFacts = NO_FACTS;
  #loaded: Promise<void> | undefined;

  constructor(
    catalog: Pick<RoleCatalog, 'blockers' | 'schemaFacts'>,
    injection: InjectionOptions,
    journals: JournalSpace,
  ) {
    this.#catalog = catalog;
    this.journals = journals;
    this.#mayInject = injection.allowed;
    this.#injection = injection.rule && new Injection(injection.rule);
  }

  /** Resolves when the schema is known. Throws Refused. */
  ready(): Promise<void> {
    this.#loaded ??= this.#load().catch((error) => {
      this.#loaded = undefined;
      throw error;
    });
    return this.#loaded;
  }

  /** A session has changed the schema. Never rejects: what is committed is, whether or not it can be looked at now. */
  async schemaChanged(): Promise<void> {
    await this.#load().catch(() => undefined);
  }

  async #load(): Promise<void> {
    this.#facts = await this.#catalog.schemaFacts();
  }

  /** The processes that this one waits for. Throws Refused. */
  blockers(processId: number): Promise<readonly number[]> {
    return this.#catalog.blockers(processId);
  }

  /** Whether clients have made functions at all. */
  get hasOwnFunctions(): boolean {
    return this.#facts.functions.size > 0;
  }

  /** Whether it calls a function that clients have made, by itself or by what it names, which may write whatever it likes. */
  callsOwn({ calls, relations, kind }: Statement): boolean {
    const { functions, calling } = this.#facts;
    if (functions.size === 0) return false;
    if (calls.some((name) => functions.has(name))) return true;
    return kind !== 'ddl' && calling.size > 0 && relations.some(({ name }) => calling.has(name));
  }

  /** Whether its command tag does not tell how many rows it writes. */
  rowsAreUnknown(statement: Statement): boolean {
    if (this.callsOwn(statement)) return true;
    if (!statement.writesRows) return false;
    const { cascading } = this.#facts;
    return !statement.tagCounts || (cascading.size > 0 && statement.targets.some(({ name }) => cascading.has(name)));
  }

  /** Whether what it writes has to be asked of the engine. */
  mustBeMeasured(statement: Statement): boolean {
    if (this.rowsAreUnknown(statement)) return true;
    if (!statement.writesRows) return false;
    const isSelected = statement.tag === 'InsertStmt' && statement.insertedRows === undefined;
    return isSelected || statement.calls.some((name) => GROWING.has(name));
  }

  /** Whether a conflict is to be feigned for a transaction that wrote these tables; undefined: unknown ones. */
  injects(wrote: readonly Relation[] | undefined): boolean {
    return this.#injection?.hits(wrote) ?? false;
  }

  get isInjecting(): boolean {
    return this.#injection !== undefined;
  }

  /** Whether this asks for conflicts to be feigned, and nobody has allowed it. */
  mayNotInject({ tag, calls }: Statement): boolean {
    return !this.#mayInject && tag === 'CallStmt' && calls.includes('inject_conflicts');
  }

  /** Conflicts to be feigned from now on; undefined: none. */
  inject(rule: InjectionRule | undefined): void {
    if (this.#mayInject) this.#injection = rule && new Injection(rule);
  }
}

/** Of all clusters that are awake. */
export class AllTransactions {
  readonly #clusters = new WeakMap<RoleCatalog, ClusterTransactions>();
  readonly #injection: InjectionOptions;
  readonly #journals = new JournalSpace();

  constructor(injection: InjectionOptions) {
    this.#injection = injection;
  }

  /** Those of the database that this catalog is of. Throws Refused. */
  async of(catalog: RoleCatalog): Promise<ClusterTransactions> {
    let cluster = this.#clusters.get(catalog);
    if (!cluster) {
      cluster = new ClusterTransactions(catalog, this.#injection, this.#journals);
      this.#clusters.set(catalog, cluster);
    }
    await cluster.ready();
    return cluster;
  }
}
