import { expect, it } from 'vitest';
import { chooseSyncMethod } from './sync-method.ts';

const meminfo = (dirty: number, writeback: number) =>
  `MemTotal:       24606632 kB\nDirty:          ${String(dirty).padStart(8)} kB\nWriteback:      ${String(writeback).padStart(8)} kB\nWritebackTmp:          7 kB\n`;

it.each([
  ['a quiet disk', '6.18.44-fc', meminfo(1_000, 0), 'syncfs'],
  ['the oldest kernel that tells of errors', '5.8.0-generic', meminfo(1_000, 0), 'syncfs'],
  ['a kernel that may keep errors to itself', '5.7.19', meminfo(1_000, 0), 'fsync'],
  ['an old kernel', '4.18.0-513.el8', meminfo(1_000, 0), 'fsync'],
  ['much that others have written', '6.1.0', meminfo(262_145, 0), 'fsync'],
  ['much that is on its way', '6.1.0', meminfo(131_072, 131_073), 'fsync'],
  ['as much as may be', '6.1.0', meminfo(131_072, 131_072), 'syncfs'],
  ['a system that does not tell', '6.1.0', '', 'fsync'],
  ['a kernel of another name', 'unknown', meminfo(0, 0), 'fsync'],
])('on %s', (_, kernel, text, method) => {
  expect(chooseSyncMethod(kernel, text)).toBe(method);
});
