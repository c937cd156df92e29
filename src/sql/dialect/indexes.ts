/** CREATE INDEX, which the service has in the background only, and statistics. */
import type { IndexStmt } from '@pgsql/types';
import { Lexer } from '../lexer.ts';
import { byteLiteral, dollarQuote } from '../literal.ts';
import { nameLength } from '../name-length.ts';
import type { Rules, Subject } from './rule.ts';
import { checkKeyColumns } from './tables.ts';
import { TEXTS, unsupported } from './texts.ts';

const CREATE_INDEX = 'CREATE INDEX';
const MAX_STATISTICS_TARGET = 100;

/** Whether an access method is named: the parse tree has one in any case. */
function namesAccessMethod({ sql, start, end }: Subject): boolean {
  const lexer = new Lexer(sql.slice(start, end), { standardConformingStrings: true });
  for (let kind = lexer.nextSignificant(); kind !== 'end' && !lexer.isMark('('); kind = lexer.nextSignificant()) {
    if (lexer.isWord('using')) return true;
  }
  return false;
}

/**
 * `CREATE INDEX ASYNC i ON t (a)` becomes a call that submits the job. The parts before and behind the table's name stay as
 * they came, as constants.
 */
function spliceAsync({ relation, idxname, if_not_exists }: IndexStmt, { sql, start, end, splice }: Subject): void {
  const { catalogname, schemaname, relname = '', location } = relation ?? {};
  if (location === undefined) return;
  const parts = 1 + (schemaname === undefined ? 0 : 1) + (catalogname === undefined ? 0 : 1);
  const nameEnd = location + nameLength(sql.slice(location, end), parts);
  const quote = dollarQuote(sql.slice(start, end));
  const table = `${schemaname === undefined ? 'NULL' : byteLiteral(schemaname)},${byteLiteral(relname)}`;
  const flags = `${idxname !== undefined}, ${if_not_exists === true}`;
  splice({ start, end: start, replacement: ` SELECT sys.create_index_async(${quote}` });
  splice({ start: location, end: nameEnd, replacement: `${quote}, ${table}, ${quote}` });
  splice({ start: end, end, replacement: `${quote}, ${flags}) AS job_id` });
}

export const INDEX_RULES: Rules<'IndexStmt' | 'CreateStatsStmt' | 'AlterStatsStmt'> = {
  IndexStmt: {
    kind: 'ddl',
    check(node, subject) {
      const { concurrent, indexParams, options, tableSpace } = node;
      if (concurrent) unsupported(TEXTS.indexWord('CONCURRENTLY', CREATE_INDEX));
      if (namesAccessMethod(subject)) unsupported(TEXTS.indexWord('USING', CREATE_INDEX));
      for (const node of indexParams ?? []) {
        if (!('IndexElem' in node)) continue;
        const { ordering, opclass, collation } = node.IndexElem;
        if (ordering !== 'SORTBY_DEFAULT') unsupported(TEXTS.indexOrder);
        if (opclass) unsupported(TEXTS.indexOpclass);
        if (collation) unsupported(TEXTS.indexCollation);
      }
      if (options) unsupported(TEXTS.indexWord('WITH', CREATE_INDEX));
      if (tableSpace !== undefined) unsupported(TEXTS.indexWord('TABLESPACE', CREATE_INDEX));
      checkKeyColumns(indexParams?.length ?? 0);
      // Whether the session has disable_sync_create_index off is known to the database, which refuses it else.
      if (subject.nested) unsupported(TEXTS.indexMode);
      if (subject.async) spliceAsync(node, subject);
    },
  },
  CreateStatsStmt: { kind: 'ddl' },
  AlterStatsStmt: {
    kind: 'ddl',
    check({ stxstattarget = 0 }) {
      if (stxstattarget > MAX_STATISTICS_TARGET) unsupported(TEXTS.statisticsTarget(stxstattarget));
    },
  },
};
