import { describe, expect, it } from 'vitest';
import { commandComplete, errorResponse, message, readyForQuery } from '../pgwire/messages.ts';
import { type AnswerReader, Answers, withoutResults } from './answers.ts';

const row = message('D', Buffer.from([0, 1, 0, 0, 0, 1, 0x37]));
const notice = message('N', Buffer.from('SLOG\0\0'));

function recorder() {
  const streamed: Buffer[] = [];
  const reader: AnswerReader = {
    tag: () => undefined,
    commandComplete: () => undefined,
    noticeResponse: () => undefined,
    errorResponse: () => undefined,
    parameterStatus: () => undefined,
    parseComplete: () => undefined,
    closeComplete: () => undefined,
    copyIn: () => undefined,
    stream: (bytes) => void streamed.push(bytes),
  };
  return { reader, streamed };
}

describe('answers', () => {
  it('are the same wherever the bytes are split', async () => {
    const bytes = Buffer.concat([row, commandComplete('SELECT 1'), readyForQuery('T')]);
    const digests = new Set<string>();
    for (let at = 0; at <= bytes.length; at++) {
      const { reader } = recorder();
      const answers = new Answers(() => undefined);
      const answer = answers.expect(reader);
      answers.push(bytes.subarray(0, at));
      answers.push(bytes.subarray(at));
      const { status, tags, held, lastTag, digest } = await answer;
      expect({ status, tags }).toEqual({ status: 'T', tags: ['SELECT 1'] });
      expect(Buffer.concat([...held, lastTag as Buffer])).toEqual(bytes.subarray(0, -6));
      digests.add(digest);
    }
    expect(digests.size).toBe(1);
  });

  it('are over before what follows them in the same bytes is read', () => {
    const order: string[] = [];
    const { reader } = recorder();
    const answers = new Answers(() => undefined);
    answers.expect(undefined, (status) => order.push(status)).catch(() => undefined);
    const second = { ...reader, noticeResponse: () => void order.push('notice') as undefined };
    answers.expect(second).catch(() => undefined);
    answers.push(Buffer.concat([commandComplete('BEGIN'), readyForQuery('T'), notice]));
    expect(order).toEqual(['T', 'notice']);
  });

  it('tell requests of ours the first column', async () => {
    const answers = new Answers(() => undefined);
    const answer = answers.expect();
    answers.push(Buffer.concat([row, row, commandComplete('SELECT 2'), readyForQuery('I')]));
    expect((await answer).values).toEqual(['7', '7']);
  });

  it('go through as they come when they are long', async () => {
    const { reader, streamed } = recorder();
    const answers = new Answers(() => undefined);
    const answer = answers.expect(reader);
    const rows = Buffer.concat(Array.from({ length: 10_000 }, () => row));
    answers.push(rows);
    expect(Buffer.concat(streamed)).toEqual(rows);
    answers.push(Buffer.concat([commandComplete('SELECT 10000'), readyForQuery('T')]));
    expect((await answer).streamed).toBe(true);
  });

  it('end with the last word of the engine', () => {
    const { reader } = recorder();
    const answers = new Answers(() => undefined);
    answers.expect(reader).catch(() => undefined);
    const said = (severity: 'ERROR' | 'FATAL') => errorResponse({ severity, code: '08P01', message: severity });
    answers.push(Buffer.concat([said('ERROR'), said('ERROR'), said('FATAL')]));
    expect(answers.end()).toEqual(Buffer.concat([said('ERROR'), said('FATAL')]));
  });

  it('keep what is no result when their results are taken back', () => {
    const frames = [message('1'), message('2'), message('n'), row, commandComplete('INSERT 0 1')];
    const all = Buffer.concat(frames);
    const kept = withoutResults([all.subarray(0, 7), all.subarray(7)]);
    expect(Buffer.concat(kept)).toEqual(Buffer.concat(frames.slice(0, 3)));
  });
});
