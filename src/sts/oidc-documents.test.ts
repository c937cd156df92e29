import { describe, expect, it } from 'vitest';
import { permittedUrl } from './oidc-documents.ts';

describe('the address of a document', () => {
  it.each([
    ['https://keys.example.com/a?b=c', false],
    ['https://keys.example.com:8443/', true],
    ['https://127.0.0.1/keys', true],
    ['http://127.0.0.1:8080/keys', true],
    ['http://localhost:8080/keys', true],
    ['http://[::1]/keys', true],
    ['http://2130706433/keys', true],
  ])('%s is asked (issuer on this machine: %s)', (address, isLocal) => {
    expect(permittedUrl(address, isLocal).href).toBe(new URL(address).href);
  });

  it.each([
    ['http://keys.example.com/', false],
    ['http://keys.example.com/', true],
    ['http://169.254.169.254/latest', true],
    ['http://localhost.example.com/', true],
    ['http://127.0.0.1.example.com/', true],
    ['https://localhost/keys', false],
    ['https://localhost./keys', false],
    ['https://a.localhost./keys', false],
    ['https://0../keys', false],
    ['https://keys.example.com./', false],
    ['https://127.0.0.1/keys', false],
    ['https://127.1/keys', false],
    ['https://2130706433/keys', false],
    ['https://[::1]/keys', false],
    ['https://[::ffff:127.0.0.1]/keys', false],
    ['http://127.0.0.1/keys', false],
    ['https://0.0.0.0/keys', false],
    ['https://[::]/keys', true],
    ['https://[::ffff:0.0.0.0]/keys', false],
    ['https://[::ffff:0.127.9.1]/keys', false],
    ['https://user@keys.example.com/', false],
    ['https://:password@keys.example.com/', false],
    ['file:///etc/passwd', true],
    ['ftp://127.0.0.1/keys', true],
    ['data:application/json,{}', true],
    ['keys.example.com', false],
    ['', false],
    [`https://keys.example.com/${'x'.repeat(2048)}`, false],
  ])('%s is not (issuer on this machine: %s)', (address, isLocal) => {
    expect(() => permittedUrl(address, isLocal)).toThrow(/may not be asked for keys$/);
  });
});
