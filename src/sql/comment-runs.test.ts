import { describe, expect, it } from 'vitest';
import { hasCostlyComments } from './comment-runs.ts';
import { DIRECT_BYTES, Parser } from './parse.ts';

describe('comments that begin in comments', () => {
  it.each([
    ['none', 'SELECT 1'],
    ['a few', `SELECT 1 ${'/*'.repeat(50)} ${'*/'.repeat(50)}`],
    ['many, one after the other', `SELECT 1 ${'/* a */'.repeat(100_000)}`],
    ['many, with words between', `SELECT 1 ${'/* a '.repeat(100_000)}`],
    ['a banner', `/${'*'.repeat(100_000)}/ SELECT 1`],
    ['a long operator', `SELECT 1 ${'+'.repeat(100_000)}`],
  ])('are read where there are %s', (_, sql) => {
    expect(hasCostlyComments(sql)).toBe(false);
  });

  it.each([
    ['alone', '/*'.repeat(100_000)],
    ['behind an operator', '*/'.repeat(100_000)],
    ['in a statement', `CREATE TABLE t (a int ${'/*'.repeat(2_000)}, b int)`],
    ['with operators between', 'SELECT 1 /* + '.concat('/*+-'.repeat(2_000))],
    ['within the longest text that is read where others wait', '/*'.repeat(DIRECT_BYTES / 2)],
  ])('are refused unread where there are too many, %s', async (_, sql) => {
    expect(hasCostlyComments(sql)).toBe(true);
    const parser = await Parser.create();
    const began = process.cpuUsage();
    expect(parser.parse(sql)).toEqual({ kind: 'too-deep' });
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(50);
  });

  it('are counted in time that grows with the text', () => {
    const began = process.cpuUsage();
    for (const piece of ['/', '*', '/*+', '+/*', '/* /*', '*/']) hasCostlyComments(piece.repeat(1_000_000));
    expect(process.cpuUsage(began).user / 1000).toBeLessThan(1_000);
  });
});
