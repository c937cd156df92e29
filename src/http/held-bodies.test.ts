import { describe, expect, it } from 'vitest';
import { Refused } from '../refused.ts';
import { HeldBodies } from './held-bodies.ts';

const refused = expect.objectContaining({ kind: 'service-unavailable' }) as Refused;

describe('bodies held in memory', () => {
  it('have a limit together, and a smaller one by source', () => {
    const bodies = new HeldBodies(100, 0.25);
    const first = bodies.open('192.0.2.1');
    first.take(20);
    const second = bodies.open('192.0.2.1');
    expect(() => second.take(6)).toThrow(refused);
    second.take(5);
    for (const source of ['a', 'b', 'c']) bodies.open(source).take(25);
    expect(bodies.held).toBe(100);
    expect(() => bodies.open('d').take(1)).toThrow(refused);
    first.release();
    expect(bodies.held).toBe(80);
    bodies.open('d').take(20);
  });

  it('of no source in particular have the whole', () => {
    const bodies = new HeldBodies(100, 0.25);
    const body = bodies.open(undefined);
    body.take(100);
    body.release();
    body.release();
    expect(bodies.held).toBe(0);
  });

  it('leave nothing behind, also when they did not fit', () => {
    const bodies = new HeldBodies(100, 0.25);
    for (let i = 0; i < 1000; i++) {
      const body = bodies.open(`source ${i % 7}`);
      try {
        for (let part = 0; part < 30; part++) body.take(i % 3);
      } catch (error) {
        expect(error).toBeInstanceOf(Refused);
      }
      body.release();
    }
    expect(bodies.held).toBe(0);
    for (let i = 0; i < 4; i++) bodies.open(`source ${i}`).take(25);
  });
});
