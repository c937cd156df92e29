import { Malformed } from './malformed.ts';
import { message } from './messages.ts';

/** ErrorResponse and NoticeResponse as field type -> text, in the order they stand. Bytes stay bytes (latin1). */
export type ResponseFields = Map<string, string>;

/** Decodes the body of an ErrorResponse or NoticeResponse (without type and length). Throws Malformed. */
export function decodeFields(body: Buffer): ResponseFields {
  const fields: ResponseFields = new Map();
  let offset = 0;
  for (;;) {
    const type = body[offset];
    if (type === undefined) throw new Malformed('response fields have no terminator');
    if (type === 0) return fields;
    const end = body.indexOf(0, offset + 1);
    if (end < 0) throw new Malformed('response field has no terminator');
    fields.set(String.fromCharCode(type), body.toString('latin1', offset + 1, end));
    offset = end + 1;
  }
}

export function encodeFields(type: 'E' | 'N', fields: ResponseFields): Buffer {
  let text = '';
  for (const [field, value] of fields) text += `${field}${value}\0`;
  return message(type, Buffer.from(`${text}\0`, 'latin1'));
}
