import { describe, expect, it } from 'vitest';
import { parseManifest } from './manifest.ts';

const FACTS = { size: 3, sha256: 'a'.repeat(64) };
const WHOLE = { format: 1, databases: ['control'], folders: ['control'], files: { 'control/PG_VERSION': FACTS } };
const read = (changes: object) => parseManifest(JSON.stringify({ ...WHOLE, ...changes }), 'the manifest');

describe('the manifest of a backup', () => {
  it('is read', () => {
    expect(read({})).toEqual(WHOLE);
  });

  it.each<[string, object, string]>([
    ['of another format', { format: 2 }, 'of another version'],
    ['without files', { files: null }, 'of another version'],
    ['with a folder that is no text', { folders: [7] }, 'of another version'],
    ['with a file above it', { files: { '../seal.key': FACTS } }, 'no path in a backup'],
    ['with a file anywhere', { files: { '/etc/passwd': FACTS } }, 'no path in a backup'],
    ['with a folder that is itself', { folders: ['a/.'] }, 'no path in a backup'],
    ['with a NUL in a name', { folders: ['a\0b'] }, 'no path in a backup'],
    ['with a file of which nothing is known', { files: { a: null } }, 'no size and digest'],
    ['with a size that is none', { files: { a: { ...FACTS, size: -1 } } }, 'no size and digest'],
    ['with a digest that is none', { files: { a: { ...FACTS, sha256: [FACTS.sha256] } } }, 'no size and digest'],
  ])('is refused %s', (_, changes, text) => {
    expect(() => read(changes)).toThrow(text);
  });

  it.each(['', 'null', '[]', '7', '{', '{"format":1}'])('is not %j', (text) => {
    expect(() => parseManifest(text, 'the manifest')).toThrow(/^the manifest is /);
  });
});
