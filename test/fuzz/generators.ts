/** Inputs that are nearly right. */
import fc from 'fast-check';

interface Edit {
  at: number;
  remove: number;
  insert: string;
}

/** Valid texts with a few pieces cut out, put in (from `vocabulary` or the text itself), or replaced. */
export function mutated(seeds: readonly string[], vocabulary: readonly string[]): fc.Arbitrary<string> {
  const latin1 = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const edit = fc.record<Edit>({
    at: fc.nat(4096),
    remove: fc.oneof(fc.constant(0), fc.constant(1), fc.nat(64)),
    insert: fc.oneof(
      fc.constant(''),
      latin1,
      fc.constantFrom(...vocabulary),
      fc.string({ unit: latin1, maxLength: 8 }),
    ),
  });
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { maxLength: 4 }), fc.boolean())
    .map(([seed, edits, repeat]) => {
      let text = seed;
      for (const { at, remove, insert } of edits) {
        const from = at % (text.length + 1);
        const piece =
          repeat && insert === '' ? text.slice(from, from + remove) + text.slice(from, from + remove) : insert;
        text = text.slice(0, from) + piece + text.slice(from + remove);
      }
      return text;
    });
}

/** The same for bytes, and noise. */
export function bytes(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const texts = seeds.map((seed) => seed.toString('latin1'));
  return fc.oneof(
    mutated([...texts, texts.join('')], ['\0', '\0\0', '\0\0\0\x04', '\xff\xff\xff\xff', '\x7f\xff\xff\xff', 'Q']).map(
      (text) => Buffer.from(text, 'latin1'),
    ),
    fc.uint8Array({ maxLength: 128 }).map((array) => Buffer.from(array)),
  );
}

export function pieces(vocabulary: readonly string[], separator: string): fc.Arbitrary<string> {
  return fc.array(fc.constantFrom(...vocabulary), { maxLength: 40 }).map((list) => list.join(separator));
}
