import { describe, expect, it } from 'vitest';
import { checkInput } from './input.ts';

const MEMBERS = {
  UserName: { type: 'string', min: 2, max: 4, pattern: /[a-z]+/ },
  Token: { type: 'string', min: 2, max: 4, pattern: /[a-z]+/, sensitive: true },
} as const;

describe('a parameter that does not satisfy its constraints', () => {
  it.each([
    ['x', 'Member must have length greater than or equal to 2'],
    ['xxxxx', 'Member must have length less than or equal to 4'],
    ['x!x', 'Member must satisfy regular expression pattern: [a-z]+'],
  ])('is told with its value, and without it where it is a secret: %s', (value, constraint) => {
    expect(() => checkInput(MEMBERS, { UserName: value })).toThrow(
      expect.objectContaining({
        say: `1 validation error detected: Value '${value}' at 'userName' failed to satisfy constraint: ${constraint}`,
      }),
    );
    expect(() => checkInput(MEMBERS, { Token: value })).toThrow(
      expect.objectContaining({
        say: `1 validation error detected: Value at 'token' failed to satisfy constraint: ${constraint}`,
      }),
    );
  });
});
