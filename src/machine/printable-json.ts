/** What JSON lets stand in a text as it is, and a terminal acts on: DEL, the controls of C1, what turns the direction. */
const UNPRINTABLE = /[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/gu;
const PLAIN = /^[\n -~]*$/;

/**
 * The same JSON with every such character escaped: clients choose names, and operators read logs on terminals. Whatever
 * is no ASCII stands inside a string, where an escape means the same.
 */
export function printableJson(json: string): string {
  return PLAIN.test(json) ? json : json.replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  let text = '';
  for (let i = 0; i < character.length; i++) text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`;
  return text;
}
