/** Escapes text for an element. What XML 1.0 cannot carry at all (section 2.2) becomes U+FFFD. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r]|[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, (found) => {
    return ENTITIES[found] ?? '\uFFFD';
  });
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
  // A parser would turn a bare one into a line feed.
  '\r': '&#xD;',
};

/**
 * The members of a structure as elements, by their values: dates are ISO 8601 with seconds, lists have `<member>`
 * elements, maps `<entry>` elements. `textOf` may change a text by its element's name before it is escaped.
 */
export function xmlMembers(structure: object, textOf: (name: string, text: string) => string): string {
  let xml = '';
  for (const [name, value] of Object.entries(structure)) {
    if (value !== undefined) xml += `<${name}>${xmlValue(name, value, textOf)}</${name}>`;
  }
  return xml;
}

function xmlValue(name: string, value: unknown, textOf: (name: string, text: string) => string): string {
  if (typeof value === 'string') return escapeXml(textOf(name, value));
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value instanceof Date) return value.toISOString().replace(/\.\d{3}Z$/, 'Z');
  if (Array.isArray(value)) return value.map((item) => `<member>${xmlValue(name, item, textOf)}</member>`).join('');
  if (value instanceof Map) {
    const entries = [...value].map(([key, item]) => xmlMembers({ key, value: item }, textOf));
    return entries.map((entry) => `<entry>${entry}</entry>`).join('');
  }
  if (typeof value === 'object' && value !== null) return xmlMembers(value, textOf);
  throw new TypeError(`the output ${name} is no value that XML can carry`);
}
