import { expect, it } from 'vitest';
import { Digest } from './digest.ts';

function digestOf(text: string, size: number): string {
  const digest = new Digest();
  for (let at = 0; at < text.length; at += size) digest.update(Buffer.from(text.slice(at, at + size), 'latin1'));
  return digest.end();
}

const SIZES = [1, 7, 255, 256, 257, 10_000];

it.each([0, 1, 255, 256, 257, 5_000])('is the same for the same %s bytes in whatever pieces', (length) => {
  const text = 'é'.repeat(length);
  expect(new Set(SIZES.map((size) => digestOf(text, size))).size).toBe(1);
});

it('is another one for other bytes', () => {
  const texts = ['', 'a', 'b', 'a'.repeat(256), 'a'.repeat(257), 'b'.repeat(257), `${'a'.repeat(256)}b`];
  expect(new Set(texts.map((text) => digestOf(text, 64))).size).toBe(texts.length);
});
