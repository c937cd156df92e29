/**
 * Finds `AWS IAM GRANT role TO 'arn'` and `AWS IAM REVOKE role FROM 'arn'` in a client's SQL: the two statements of Aurora
 * DSQL that PostgreSQL does not know (user guide, "Using database roles and IAM authentication").
 */
import { Lexer, type LexerOptions } from '../sql/lexer.ts';
import { RESERVED_WORDS } from '../sql/reserved-words.ts';
import { StatementEnds } from '../sql/statements.ts';
import {
  expectWord,
  readName,
  readString,
  refuseName,
  type SqlError,
  SqlErrorThrown,
  unexpected,
} from './statement-reader.ts';

export interface AwsIamStatement {
  kind: 'grant' | 'revoke';
  /** The bytes to be replaced, from AWS on and without the semicolon. */
  start: number;
  end: number;
  /** The database role's name, case folded and unquoted as PostgreSQL does. */
  role: string;
  /** As the constant says; whether it is an ARN is for the reader to judge. */
  arn: string;
}

export interface AwsIamReading {
  found: readonly AwsIamStatement[];
  /** The first error in such a statement. PostgreSQL then runs nothing of the whole string. */
  error: SqlError | undefined;
  /** How many statements the string has, not counting empty ones. */
  statements: number;
}

const NOTHING: AwsIamReading = { found: [], error: undefined, statements: 0 };
const IAM = /iam/i;

function readStatement(lexer: Lexer, start: number): AwsIamStatement {
  const kind = lexer.isWord('grant') ? 'grant' : lexer.isWord('revoke') ? 'revoke' : unexpected(lexer);
  lexer.nextSignificant();
  const nameStart = lexer.start;
  const role = readName(lexer, RESERVED_WORDS) ?? unexpected(lexer);
  // `public` is let through, as PostgreSQL does: no role can have that name, so it "does not exist".
  if (role === 'none') refuseName(lexer, nameStart, 'role name "none" is reserved', '42939');
  expectWord(lexer, kind === 'grant' ? 'to' : 'from');
  const arn = readString(lexer) ?? unexpected(lexer);
  const end = lexer.before;
  if (lexer.kind !== 'end' && !lexer.isMark(';')) unexpected(lexer);
  return { kind, start, end, role, arn };
}

/**
 * Reads a whole query string, one character a byte (or its bytes). A string that has none of the two statements costs a
 * search for three letters, or one pass over its tokens.
 */
export function readAwsIamStatements(query: string | Buffer, options: LexerOptions): AwsIamReading {
  const sql = typeof query === 'string' ? query : query.toString('latin1');
  if (!IAM.test(sql)) return NOTHING;
  const lexer = new Lexer(sql, options);
  const ends = new StatementEnds();
  const found: AwsIamStatement[] = [];
  let statements = 0;
  let first = true;
  try {
    for (let kind = lexer.nextSignificant(); kind !== 'end'; kind = lexer.nextSignificant()) {
      if (first && lexer.isMark(';')) continue;
      if (first) {
        statements++;
        first = false;
        if (lexer.isWord('aws')) {
          const { start } = lexer;
          ends.take(lexer);
          lexer.nextSignificant();
          if (lexer.isWord('iam')) {
            lexer.nextSignificant();
            found.push(readStatement(lexer, start));
          }
        }
      }
      if (lexer.kind === 'end') break;
      first = ends.take(lexer);
    }
  } catch (error) {
    if (error instanceof SqlErrorThrown) return { found, error: error.error, statements };
    throw error;
  }
  return { found, error: undefined, statements };
}
