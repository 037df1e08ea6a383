import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../../src/lib/errors.ts';
import type { Invocation, SourceRecord } from '../../../src/poller/ports.ts';
import { formats } from '../../../src/targets/http/format.ts';
import { callHeaders, checkFixedHeaders, fixedHeaders } from '../../../src/targets/http/headers.ts';

const ids = (): (() => string) => {
  let next = 0;
  return () => (++next).toString(16).padStart(2, '0').repeat(16);
};
const record = (traceHeader?: string): SourceRecord => ({
  id: 'm',
  json: '{}',
  bytes: 2,
  filterable: () => ({}),
  traceHeader,
});
const invocation = (...records: SourceRecord[]): Invocation => ({
  id: 'batch-1',
  event: '{}',
  records,
  attempt: 1,
});
const headersFor = (fixed: Record<string, string>, ...records: SourceRecord[]): Record<string, string> => {
  const every = fixedHeaders(checkFixedHeaders(fixed), '0.1.0', formats.Lambda);
  const list = callHeaders(ids(), every, invocation(...records), formats.Lambda);
  const found: Record<string, string> = {};
  for (let index = 0; index < list.length; index += 2) {
    expect(found).not.toHaveProperty([list[index] ?? '']);
    found[list[index] ?? ''] = list[index + 1] ?? '';
  }
  return found;
};
const xray = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';

describe('headers of a call', () => {
  test('says what it sends, as whom, and with which idempotency key', () => {
    expect(headersFor({})).toEqual({
      'content-type': 'application/json',
      'accept-encoding': 'identity',
      'idempotency-key': 'batch-1',
      'user-agent': 'sluice/0.1.0',
      traceparent: `00-${'01'.repeat(16)}-${'02'.repeat(8)}-01`,
    });
  });

  test('adds the fixed headers, and one of them may be the user agent', () => {
    expect(headersFor({ Authorization: 'Bearer x', 'User-Agent': 'orders' })).toMatchObject({
      authorization: 'Bearer x',
      'user-agent': 'orders',
    });
  });

  test("passes the first record's X-Ray header on and continues its trace", () => {
    expect(
      headersFor({}, record(), record(xray), record('Root=1-00000000-000000000000000000000001')),
    ).toMatchObject({
      'x-amzn-trace-id': xray,
      traceparent: '00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01',
    });
  });

  test.each([
    { header: 'Root=1-5759e988-bd862e3fe1be46a994272793', flags: '01', why: 'undecided counts as sampled' },
    { header: `${xray.slice(0, -1)}0`, flags: '00', why: 'not sampled stays so' },
  ])('the sampling flag of $header is $flags: $why', ({ header, flags }) => {
    expect(headersFor({}, record(header))['traceparent']?.slice(-2)).toBe(flags);
  });

  test.each([
    { header: `${xray}\r\nX-Evil: 1`, why: 'a line break would be another header' },
    { header: 'Root=1-5759e988-bd862e3fe1be46a99427279', why: 'a root that is too short' },
    { header: 'hello', why: 'no root' },
    { header: '', why: 'nothing' },
    { header: `${xray};a=${'x'.repeat(600)}`, why: 'too long' },
    { header: `${xray};é`, why: 'beyond ASCII' },
  ])('leaves an unusable X-Ray header out: $why', ({ header }) => {
    const found = headersFor({}, record(header));
    expect(found).not.toHaveProperty('x-amzn-trace-id');
    expect(found['traceparent']).toBe(`00-${'01'.repeat(16)}-${'02'.repeat(8)}-01`);
  });
});

describe('fixed headers', () => {
  test.each(
    [
      'Connection',
      'Keep-Alive',
      'Proxy-Connection',
      'Proxy-Authenticate',
      'Proxy-Authorization',
      'TE',
      'Trailer',
      'Transfer-Encoding',
      'Upgrade',
      'Host',
      'Content-Length',
      'Content-Type',
      'Content-Encoding',
      'Accept-Encoding',
      'Expect',
      'Idempotency-Key',
      'X-Amzn-Trace-Id',
      'traceparent',
      'tracestate',
    ].map((name) => ({ name })),
  )('$name is refused: Sluice or the connection sets it', ({ name }) => {
    expect(() => checkFixedHeaders({ [name]: 'x' })).toThrow(
      `\`poller.target.http.headers.${name}\` must not be set: Sluice or the connection sets it`,
    );
  });

  test.each([
    { headers: { 'X Y': 'v' }, message: 'valid HTTP header name', why: 'a space in the name' },
    { headers: { '': 'v' }, message: 'valid HTTP header name', why: 'no name' },
    { headers: { 'X:Y': 'v' }, message: 'valid HTTP header name', why: 'a colon in the name' },
    { headers: { 'X-A': 'v\n' }, message: 'must not contain a line break', why: 'a Secret made with echo' },
    { headers: { 'X-A': 'v\r\nEvil: 1' }, message: 'must not contain a line break', why: 'injection' },
    { headers: { 'X-A': 'caf\u00e9' }, message: 'printable ASCII', why: 'beyond ASCII' },
    { headers: { 'X-A': 'a\u0000b' }, message: 'printable ASCII', why: 'a null byte' },
    { headers: { 'X-A': 'x'.repeat(8193) }, message: 'must be at most 8192', why: 'too long' },
    { headers: { 'X-A': '1', 'x-a': '2' }, message: 'must be given once', why: 'the same name twice' },
    {
      headers: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`x-${index}`, 'v'])),
      message: 'must have at most 32',
      why: 'too many',
    },
  ])('are invalid: $why', ({ headers, message }) => {
    let thrown: unknown;
    try {
      checkFixedHeaders(headers);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SluiceError);
    expect(thrown).toMatchObject({ reason: 'InvalidSpec', retry: { kind: 'never' } });
    expect((thrown as Error).message).toContain(message);
  });

  test('a value is never shown', () => {
    expect(() => checkFixedHeaders({ authorization: 'hunter2\n' })).toThrow(/^(?!.*hunter2)/s);
  });

  test('names of the language itself are ordinary names', () => {
    expect(Object.entries(checkFixedHeaders({ constructor: 'a', __proto__x: 'b' }))).toEqual([
      ['constructor', 'a'],
      ['__proto__x', 'b'],
    ]);
  });
});
