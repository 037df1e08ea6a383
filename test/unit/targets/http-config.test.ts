import { describe, expect, test } from 'vitest';
import type { HttpTarget as HttpTargetSpec } from '../../../src/api/mapping.ts';
import { httpTargetConfig, secretFields, type HttpTargetInputs } from '../../../src/targets/http-config.ts';

const inputs: HttpTargetInputs = { namespace: 'shop', secrets: {}, allowedURLs: 'any', allowLoopback: false };
const configOf = (http: HttpTargetSpec, more: Partial<HttpTargetInputs> = {}) =>
  httpTargetConfig(http, { ...inputs, ...more });

const invokePath = '/2015-03-31/functions/function/invocations';

describe('from the spec to the configuration', () => {
  test('a URL, with every default', () => {
    const { config, place } = configOf({ url: 'https://Orders.example.com:443/events?tenant=a' });
    expect(config).toEqual({
      origin: 'https://orders.example.com',
      path: '/events?tenant=a',
      headers: Object.create(null) as object,
      timeoutMs: 30_000,
      addresses: { allowLoopback: false },
    });
    expect(place).toEqual({ kind: 'url', url: new URL('https://orders.example.com/events?tenant=a') });
  });

  test.each([
    {
      service: { name: 'orders', port: 8080 },
      origin: 'http://orders.shop.svc:8080',
      path: '/',
      why: 'a number',
    },
    {
      service: { name: 'orders', port: 'web' },
      origin: 'http://orders.shop.svc',
      path: '/',
      why: 'a name: no number to show',
    },
    {
      service: { name: 'orders', port: 443, scheme: 'https' as const, path: '/a?b=1' },
      origin: 'https://orders.shop.svc',
      path: '/a?b=1',
      why: "the scheme's own port",
    },
    {
      service: { name: 'orders', port: 80, path: '//evil.test/x' },
      origin: 'http://orders.shop.svc',
      path: '//evil.test/x',
      why: 'a path is never a host',
    },
    {
      service: { name: 'orders', port: 80, path: '/bücher' },
      origin: 'http://orders.shop.svc',
      path: '/b%C3%BCcher',
      why: 'a path is encoded',
    },
    {
      service: { name: 'orders', port: 80, path: '/\\evil.test' },
      origin: 'http://orders.shop.svc',
      path: '//evil.test',
      why: 'a backslash leads nowhere else',
    },
  ])('a Service with port $service.port and path "$path": $why', ({ service, origin, path }) => {
    const { config, place } = configOf({ service, timeoutSeconds: 900 });
    expect(config).toMatchObject({ origin, path, timeoutMs: 900_000 });
    expect(place).toEqual({ kind: 'service', name: service.name, port: service.port });
  });

  test.each([
    { http: { service: { name: 'fn', port: 8080 } }, path: invokePath, why: 'a Service without a path' },
    { http: { service: { name: 'fn', port: 8080, path: '/x' } }, path: '/x', why: 'one with a path' },
    { http: { service: { name: 'fn', port: 8080, path: '/' } }, path: '/', why: 'one that says /' },
    { http: { url: 'http://fn.test' }, path: invokePath, why: 'a URL without a path' },
    { http: { url: 'http://fn.test:8080/' }, path: invokePath, why: 'or with nothing but a slash' },
    { http: { url: 'http://[2001:db8::1]:8080' }, path: invokePath, why: 'an address' },
    { http: { url: 'http://fn.test/x?a=b' }, path: '/x?a=b', why: 'a URL with a path' },
    { http: { url: 'http://fn.test?a=b' }, path: '/?a=b', why: 'a query is a place of its own' },
  ])('the format LambdaInvoke has a path of its own for $why', ({ http, path }) => {
    expect(configOf({ ...http, format: 'LambdaInvoke' }).config).toMatchObject({
      format: 'LambdaInvoke',
      path,
    });
    expect(configOf({ ...http, format: 'CloudEvents' }).config.path).not.toBe(invokePath);
  });

  test('a class judges the URL that is called', () => {
    const called = (pattern: string) => () =>
      configOf({ url: 'http://fn.test', format: 'LambdaInvoke' }, { allowedURLs: [pattern] });
    expect(called('http://fn.test')).not.toThrow();
    expect(called(`http://fn.test${invokePath}`)).not.toThrow();
    expect(called('http://fn.test/other')).toThrow('`poller.target.http.url`');
  });

  test('values of Secrets stand where the spec names them', () => {
    const http: HttpTargetSpec = {
      url: 'https://orders.example.com/',
      headers: {
        'X-Plain': { value: 'a' },
        Authorization: { valueFrom: { secretKeyRef: { name: 'token', key: 'header' } } },
      },
      tls: { caSecretRef: { name: 'ca' }, clientCertSecretRef: { name: 'client' }, serverName: 'orders' },
    };
    expect([...secretFields(http)]).toEqual([
      ['token', 'poller.target.http.headers.Authorization.valueFrom.secretKeyRef'],
      ['ca', 'poller.target.http.tls.caSecretRef'],
      ['client', 'poller.target.http.tls.clientCertSecretRef'],
    ]);
    const secrets = {
      token: { header: 'Bearer x' },
      ca: { 'ca.crt': 'CA' },
      client: { 'tls.crt': 'CERT', 'tls.key': 'KEY' },
    };
    const { config } = configOf(http, { secrets });
    expect({ ...config.headers }).toEqual({ 'x-plain': 'a', authorization: 'Bearer x' });
    expect(config.tls).toEqual({ caPem: 'CA', certPem: 'CERT', keyPem: 'KEY', serverName: 'orders' });
  });

  test.each([
    { value: 'hunter2\n', message: 'must not contain a line break', why: 'made with echo' },
    { value: 'hunter2 é', message: 'printable ASCII', why: 'beyond ASCII' },
    { value: 'hunter2'.repeat(2000), message: 'at most 8192', why: 'too long' },
  ])('a Secret whose value no header can carry is invalid, and never shown: $why', ({ value, message }) => {
    const ref = { secretKeyRef: { name: 'token', key: 'header' } };
    const http: HttpTargetSpec = {
      url: 'https://orders.example.com/',
      headers: { 'X-Key': { valueFrom: ref } },
    };
    let thrown: unknown;
    try {
      configOf(http, { secrets: { token: { header: value } } });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ reason: 'SecretInvalid' });
    expect(String(thrown)).toContain(
      '`poller.target.http.headers.X-Key`: the key "header" of the Secret "token" ',
    );
    expect(String(thrown)).toContain(message);
    expect(String(thrown)).not.toContain('hunter2');
  });

  test('a Secret is listed once, and none for a target without', () => {
    const ref = { valueFrom: { secretKeyRef: { name: 'token', key: 'a' } } };
    const fields = secretFields({ url: 'https://a', headers: { a: ref, b: ref } });
    expect([...fields]).toEqual([['token', 'poller.target.http.headers.a.valueFrom.secretKeyRef']]);
    expect(secretFields({ url: 'https://a' }).size).toBe(0);
  });

  test.each([
    {
      http: { url: 'https://evil.test/' },
      more: { allowedURLs: [] },
      reason: 'UrlNotPermitted',
      field: '`poller.target.http.url`',
      why: 'no class allows it',
    },
    {
      http: { url: 'http://169.254.169.254/' },
      more: {},
      reason: 'UrlNotPermitted',
      field: '`poller.target.http.url`',
      why: 'metadata',
    },
    {
      http: { url: 'http://127.0.0.1/' },
      more: {},
      reason: 'UrlNotPermitted',
      field: '`poller.target.http.url`',
      why: 'loopback',
    },
    {
      http: { url: 'nonsense' },
      more: {},
      reason: 'InvalidSpec',
      field: '`poller.target.http.url`',
      why: 'no URL',
    },
    {
      http: {},
      more: {},
      reason: 'InvalidSpec',
      field: '`poller.target.http`',
      why: 'neither Service nor URL',
    },
    {
      http: { url: 'https://a.test', headers: { Host: { value: 'b' } } },
      more: {},
      reason: 'InvalidSpec',
      field: '`poller.target.http.headers.Host`',
      why: 'a header of HTTP itself',
    },
    {
      http: {
        url: 'https://a.test',
        headers: { a: { valueFrom: { secretKeyRef: { name: 's', key: 'constructor' } } } },
      },
      more: { secrets: { s: {} } },
      reason: 'SecretNotFound',
      field: '`poller.target.http.headers.a`',
      why: 'a key that the Secret does not have',
    },
    {
      http: { url: 'https://a.test', tls: { caSecretRef: { name: 's' } } },
      more: {},
      reason: 'SecretNotFound',
      field: '`poller.target.http.tls.caSecretRef`',
      why: 'a Secret that is not there',
    },
  ])('$reason names $field: $why', ({ http, more, reason, field }) => {
    const attempt = (): unknown => configOf(http, more);
    expect(attempt).toThrow(
      expect.objectContaining({ reason, message: expect.stringContaining(field) as string }) as Error,
    );
  });
});
