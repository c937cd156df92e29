import type { LockedPlaces, RoleCatalog, SchemaFacts } from '../roles/role-catalog.ts';
import type { Statement } from '../sql/classify.ts';
import type { Places } from '../sql/locked-rows.ts';
import type { Relation } from '../sql/statement-findings.ts';
import { Conflicts, type Strength } from '../transactions/conflicts.ts';
import { Injection, type InjectionOptions, type InjectionRule } from '../transactions/injection.ts';
import { Spaces } from '../transactions/space.ts';

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

const NONE: readonly string[] = [];
const NO_FACTS: SchemaFacts = {
  functions: new Set(),
  calling: new Set(),
  cascading: new Set(),
  parents: new Map(),
  keys: new Map(),
  views: new Set(),
};

/** What the transactions of a cluster ask of its database. */
type Catalog = Pick<RoleCatalog, 'blockers' | 'schemaFacts' | 'lockedRows' | 'hasRows'>;

/** How strongly a statement may take a row: what changes no key is in nobody's way who refers to the row. */
export type Reach = Strength | 'no key update';

/** The transactions of one cluster's database, and what its schema says of the statements in them. */
export class ClusterTransactions {
  readonly conflicts = new Conflicts((work, ms) => {
    const timer = setTimeout(work, ms).unref();
    return () => clearTimeout(timer);
  });
  readonly spaces: Spaces;
  readonly #catalog: Catalog;
  readonly #mayInject: boolean;
  #injection: Injection | undefined;
  #facts: SchemaFacts = NO_FACTS;
  #loaded: Promise<void> | undefined;

  constructor(catalog: Catalog, injection: InjectionOptions, spaces: Spaces) {
    this.#catalog = catalog;
    this.spaces = spaces;
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

  /** See RoleCatalog. Throws Refused. */
  lockedRows(table: string, transactionIds: readonly string[], changed: boolean): Promise<readonly Places[]> {
    return this.#catalog.lockedRows(table, transactionIds, changed);
  }

  /** See RoleCatalog. Throws Refused. */
  hasRows(transactionIds: readonly string[], rows: readonly LockedPlaces[]): Promise<boolean> {
    return this.#catalog.hasRows(transactionIds, rows);
  }

  /** Tables to which the foreign keys of what it writes refer: their rows are locked against those who would delete them. */
  parentsOf({ writesRows, targets }: Statement): readonly string[] {
    const { parents } = this.#facts;
    if (!writesRows || parents.size === 0) return NONE;
    return targets.flatMap(({ name }) => parents.get(name) ?? NONE);
  }

  /**
   * The tables, by name, whose rows a statement may lock or change, and how strongly at most: foreign keys look at parents,
   * and take changes along to children. Undefined where nobody knows.
   */
  reach(statement: Statement): ReadonlyMap<string, Reach> | undefined {
    if (this.callsOwn(statement)) return undefined;
    const reached = new Map<string, Reach>();
    const { writesRows, locks, targets } = statement;
    for (const parent of this.parentsOf(statement)) reached.set(parent, 'key share');
    if (!writesRows && !locks) return reached;
    for (const { name } of targets) {
      const reach = this.#reachOf(statement, name);
      if (reach) reached.set(name, reach);
    }
    if (!writesRows) return reached;
    const { cascading, parents } = this.#facts;
    // A map's walk comes to what is added in its course.
    for (const name of reached.keys()) {
      if (reached.get(name) !== 'update' || !cascading.has(name)) continue;
      for (const [child, its] of parents) {
        if (!its.includes(name) || reached.get(child) === 'update') continue;
        reached.delete(child);
        reached.set(child, 'update');
      }
    }
    return reached;
  }

  /** What a statement that writes or locks may do with rows of its own table that are there. */
  #reachOf({ deletes, sets, locks }: Statement, table: string): Reach | undefined {
    const keys = this.#facts.keys.get(table);
    if (deletes || locks === 'update' || sets.some((column) => keys?.has(column))) return 'update';
    return sets.length > 0 ? 'no key update' : locks;
  }

  /** Whether it may be a view, whose rows have no place. */
  mayBeView(name: string): boolean {
    return this.#facts.views.has(name);
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
    if (kind === 'ddl' || calling.size === 0) return false;
    return relations.some(({ name }) => calling.has(name)) || calls.some((name) => calling.has(name));
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
  readonly #spaces = new Spaces();

  constructor(injection: InjectionOptions) {
    this.#injection = injection;
  }

  /** Those of the database that this catalog is of. Throws Refused. */
  async of(catalog: RoleCatalog): Promise<ClusterTransactions> {
    let cluster = this.#clusters.get(catalog);
    if (!cluster) {
      cluster = new ClusterTransactions(catalog, this.#injection, this.#spaces);
      this.#clusters.set(catalog, cluster);
    }
    await cluster.ready();
    return cluster;
  }
}
