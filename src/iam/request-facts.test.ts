import { describe, expect, it } from 'vitest';
import { requestContext } from './request-facts.ts';

const NOW = new Date('2026-03-01T12:00:00.900Z');
const facts = { sourceAddress: '192.0.2.1', encrypted: true, now: NOW, region: 'eu-west-1' };

describe('the context of a request', () => {
  it('has what every request has', () => {
    expect(requestContext(facts)).toEqual({
      'aws:sourceip': ['192.0.2.1'],
      'aws:securetransport': ['true'],
      'aws:currenttime': ['2026-03-01T12:00:00.900Z'],
      'aws:epochtime': ['1772366400'],
      'aws:requestedregion': ['eu-west-1'],
    });
  });

  it('has no key for what the client did not send, and an empty value for what it sent empty', () => {
    const sent = requestContext({ ...facts, sourceAddress: undefined, userAgent: '', referer: 'https://example.com/' });
    expect(sent).not.toHaveProperty('aws:sourceip');
    expect(sent['aws:useragent']).toEqual(['']);
    expect(sent['aws:referer']).toEqual(['https://example.com/']);
  });

  it.each([
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '::ffff:c000:207'],
    ['2001:db8::1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
  ])('tells the address %s as %s', (sourceAddress, told) => {
    expect(requestContext({ ...facts, sourceAddress })['aws:sourceip']).toEqual([told]);
  });

  it('says so when the connection is not encrypted', () => {
    expect(requestContext({ ...facts, encrypted: false })['aws:securetransport']).toEqual(['false']);
  });
});
