/** The form of the rules: one row a kind of statement. */
import type { Node } from '@pgsql/types';
import type { Splice } from '../splice.ts';

type UnionToIntersection<U> = (U extends unknown ? (of: U) => void : never) extends (of: infer I) => void ? I : never;
/** The fields of each kind of parse node, by its name. */
export type Nodes = UnionToIntersection<Node>;

/** Parts of other statements, and what the parser makes of no client's text. */
type NoStatement = 'RawStmt' | 'SetOperationStmt' | 'ReturnStmt' | 'PLAssignStmt' | 'ReplicaIdentityStmt';
export type StatementTag = Exclude<Extract<keyof Nodes, `${string}Stmt`>, NoStatement>;

export type Kind = 'select' | 'dml' | 'ddl' | 'transaction' | 'session' | 'show' | 'copy' | 'utility';

/** What a check may look at beside the parse node. */
export interface Subject {
  /** The whole text, one character a byte. */
  readonly sql: string;
  /** Of the statement, in bytes. */
  readonly start: number;
  readonly end: number;
  /** Whether `ASYNC` was said, which PostgreSQL does not know. */
  readonly async: boolean;
  /** Whether it stands inside another statement. */
  readonly nested: boolean;
  /** Has these bytes of the text replaced. */
  splice(splice: Splice): void;
  /** Has the body of an SQL function checked. */
  checkBody(text: string): void;
}

export interface Rule<Tag extends StatementTag> {
  kind: Kind;
  /** Throws Unsupported, or lets the statement pass. */
  check?: (node: Nodes[Tag], subject: Subject) => void;
}

/** Some rows of the table; src/sql/classify.ts sees that there is one for each statement. */
export type Rules<Tag extends StatementTag> = { readonly [T in Tag]: Rule<T> };
