import { describe, expect, it } from 'vitest';
import { message } from '../pgwire/messages.ts';
import { Prepared } from './prepared.ts';
import { refusedReading } from './reader.ts';

const reading = refusedReading({ sqlstate: '0A000', message: 'whatever' });
const original = ' '.repeat(5 * 1024 * 1024);
const prepare = (prepared: Prepared, name: string) => {
  prepared.parse({ name, original, reading, types: Buffer.alloc(2) });
  prepared.parseComplete();
};

describe('the texts of what a session has prepared', () => {
  it('are no more than 32 MiB', () => {
    const prepared = new Prepared();
    expect(() => {
      for (let count = 0; count < 7; count++) prepare(prepared, `s${count}`);
    }).toThrow('a session has prepared more than 33554432 bytes');
  });

  it.each<[string, (prepared: Prepared) => void]>([
    ['are closed', (prepared) => prepared.close(message('C', Buffer.from('Ss\0')))],
    ['are all deallocated', (prepared) => prepared.clear()],
    ['are prepared again', () => undefined],
  ])('do not count any more when they %s', (_, forget) => {
    const prepared = new Prepared();
    for (let count = 0; count < 50; count++) {
      prepare(prepared, 's');
      forget(prepared);
    }
    expect(() => prepare(prepared, 'last')).not.toThrow();
  });
});
