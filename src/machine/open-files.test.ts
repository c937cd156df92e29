import { describe, expect, it } from 'vitest';
import { OpenFiles, openFileLimit, parseLimits } from './open-files.ts';

describe('the limit of open files', () => {
  const limits = (value: string) =>
    `Limit                     Soft Limit           Hard Limit           Units     \nMax processes             96365                96365                processes \nMax open files            ${value.padEnd(20)} 20000                files     \n`;

  it.each([
    ['1024', 1024],
    ['1073741816', 1_073_741_816],
    ['unlimited', undefined],
  ])('is read from what the system says: %s', (value, limit) => {
    expect(parseLimits(limits(value))).toBe(limit);
  });

  it('is unknown where nothing is said', () => {
    expect(parseLimits('')).toBeUndefined();
  });

  it('is told of this process', async () => {
    expect(await openFileLimit()).toBeGreaterThan(100);
  });
});

describe('file descriptors of connections', () => {
  it('are given out up to the limit, less what the server needs itself', () => {
    const files = new OpenFiles(1000);
    const held = Array.from({ length: 750 }, () => files.take());
    expect(held.every((one) => one !== undefined)).toBe(true);
    expect(files.take()).toBeUndefined();
    held[0]?.release();
    held[0]?.release();
    expect(files.take()).toBeDefined();
    expect(files.take()).toBeUndefined();
  });

  it('are not given out to those who must leave some for others', () => {
    const files = new OpenFiles(1000);
    for (let n = 0; n < 686; n++) expect(files.take(64)).toBeDefined();
    expect(files.take(64)).toBeUndefined();
    expect(files.take()).toBeDefined();
  });

  it.each([
    [20_000, 2, 64, 9_840],
    [1_024, 2, 64, 352],
    [400, 1, 0, 300],
    [undefined, 2, 64, Number.POSITIVE_INFINITY],
  ])('of a limit of %s allow so many connections of %i, with %i to spare: %s', (limit, each, spare, connections) => {
    expect(new OpenFiles(limit).connections(each, spare)).toBe(connections);
  });
});
