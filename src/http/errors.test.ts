import { describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import { ERRORS, faultOf, internalFault } from './errors.ts';

describe('a refusal', () => {
  it.each(Object.entries(ERRORS))('%s has a code, a status of a refusal and a text', (kind, row) => {
    for (const [code, status] of [row.query, row.rest]) {
      expect(code).toMatch(/^[A-Z][A-Za-z]+$/);
      const own = kind === 'policy-evaluation' ? 500 : 503;
      expect(status === own || (status >= 400 && status < 500)).toBe(true);
    }
    expect(row.rest[0]).toMatch(/Exception$/);
    expect(row.text.length).toBeGreaterThan(0);
  });

  it('keeps its detail from the client', () => {
    const fault = faultOf(new Refused('unknown-key', { detail: 'for the operator' }), 'query');
    expect(fault).toEqual({
      status: 403,
      code: 'InvalidClientTokenId',
      message: 'The security token included in the request is invalid.',
      fields: {},
    });
  });

  it('that only the PostgreSQL front can meet is a bug here, as is every other error', () => {
    expect(faultOf(new Refused('no-mapping', { detail: 'x' }), 'query')).toBeUndefined();
    expect(faultOf(new Error('x'), 'rest')).toBeUndefined();
    expect(internalFault('rest', 'id-1')).toMatchObject({ status: 500, code: 'InternalServerException' });
  });
});
