import { describe, expect, it } from 'vitest';
import { matchesARN, matchesGlob, matchesURL } from '../../../src/api/class-patterns.ts';
import {
  admit,
  identityForRelease,
  selects,
  type Admitted,
  type Denied,
} from '../../../src/api/class-rules.ts';
import type { MappingClass, MappingClassSpec } from '../../../src/api/class.ts';
import type { EventSourceMapping, EventSourceMappingSpec } from '../../../src/api/mapping.ts';
import { aClass, aMapping, aPollerMapping, ordersARN } from '../../support/mappings.ts';

const judge = (
  mapping: EventSourceMapping,
  classes: readonly MappingClass[],
  more: { labels?: Record<string, string>; siblings?: readonly EventSourceMapping[] } = {},
): Admitted | Denied =>
  admit({ mapping, classes, namespaceLabels: more.labels ?? {}, siblings: more.siblings ?? [mapping] });

const roleARN = 'arn:aws:iam::111122223333:role/tenant-{namespace}';
const url = (text: string): Partial<EventSourceMappingSpec> => ({
  mode: 'Poller',
  poller: { target: { http: { url: text } } },
});

describe('the choice of a class', () => {
  it.each<{ why: string; className?: string; classes: MappingClass[]; found: string | undefined }>([
    { why: 'the named one', className: 'b', classes: [aClass({}, 'a'), aClass({}, 'b', false)], found: 'b' },
    { why: 'the default one', classes: [aClass({}, 'a', false), aClass({}, 'b')], found: 'b' },
    { why: 'none is marked as default', classes: [aClass({}, 'a', false)], found: undefined },
    { why: 'two are marked as default', classes: [aClass({}, 'a'), aClass({}, 'b')], found: undefined },
    {
      why: 'there is none of the name, and the default does not stand in',
      className: 'x',
      classes: [aClass()],
      found: undefined,
    },
    { why: 'there is no class at all', classes: [], found: undefined },
  ])('is $found: $why', ({ className, classes, found }) => {
    const answer = judge(aMapping(className === undefined ? {} : { spec: { className } }), classes);
    const expected =
      found === undefined
        ? { kind: 'denied', reason: 'ClassNotFound' }
        : { kind: 'admitted', className: found };
    expect(answer).toMatchObject(expected);
  });
});

describe('a class admits or denies', () => {
  it.each<{
    why: string;
    spec: MappingClassSpec;
    mapping?: Partial<EventSourceMappingSpec>;
    labels?: Record<string, string>;
    answer: Partial<Admitted> | Partial<Denied>;
    names?: string;
  }>([
    {
      why: 'nobody is admitted by a class that names nobody',
      spec: { namespaces: [] },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '"shop"',
    },
    { why: 'the namespace is listed', spec: {}, answer: { kind: 'admitted', pool: 'default' } },
    {
      why: 'a namespace of a similar name is not the same',
      spec: { namespaces: ['shop-2', 'sho', 'Shop'] },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
    },
    {
      why: 'the selector admits the namespace',
      spec: { namespaces: [], namespaceSelector: { matchLabels: { team: 'a' } } },
      labels: { team: 'a' },
      answer: { kind: 'admitted' },
    },
    {
      why: 'the selector does not, nor the list',
      spec: { namespaces: ['other'], namespaceSelector: { matchLabels: { team: 'a' } } },
      labels: { team: 'b' },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
    },
    {
      why: 'the mode is not allowed',
      spec: { modes: ['Poller'] },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '`mode` must be Poller',
    },
    {
      why: 'the class has its own pool',
      spec: { pool: 'canary' },
      answer: { kind: 'admitted', pool: 'canary' },
    },
    {
      why: 'a tenant cannot name a role under the identity Installation',
      spec: {},
      mapping: { aws: { roleARN: 'arn:aws:iam::111122223333:role/admin' } },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '`aws.roleARN` must be left out',
    },
    {
      why: 'the role of the class is that of the namespace',
      spec: { aws: { identity: 'Role', roleARN } },
      answer: {
        kind: 'admitted',
        identity: { kind: 'Role', roleARN: 'arn:aws:iam::111122223333:role/tenant-shop' },
      },
    },
    {
      why: "a tenant cannot name another tenant's role",
      spec: { aws: { identity: 'Role', roleARN } },
      mapping: { aws: { roleARN: 'arn:aws:iam::111122223333:role/tenant-billing' } },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: 'tenant-shop',
    },
    {
      why: 'a tenant may repeat its own role',
      spec: { aws: { identity: 'Role', roleARN } },
      mapping: { aws: { roleARN: 'arn:aws:iam::111122223333:role/tenant-shop' } },
      answer: { kind: 'admitted' },
    },
    {
      why: 'a tenant cannot choose a ServiceAccount where the class does not say so',
      spec: {},
      mapping: { aws: { serviceAccountName: 'admin' } },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '`aws.serviceAccountName`',
    },
    {
      why: 'any source without patterns',
      spec: {},
      mapping: { eventSourceARN: 'arn:aws:sqs:us-east-1:999999999999:x' },
      answer: { kind: 'admitted' },
    },
    {
      why: 'a source that the patterns admit',
      spec: {
        sources: { allowedARNs: ['arn:aws:sqs:*:000000000000:{namespace}-*', 'arn:aws:sqs:*:*:orders'] },
      },
      answer: { kind: 'admitted' },
    },
    {
      why: 'a source that they do not',
      spec: { sources: { allowedARNs: ['arn:aws:sqs:*:000000000000:{namespace}-*'] } },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: ordersARN,
    },
    {
      why: 'no source at all, when the class lists none',
      spec: { sources: { allowedARNs: [] } },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '`eventSourceARN`',
    },
    {
      why: 'a partial ARN is judged by what it becomes',
      spec: {
        aws: { region: 'eu-west-1', accountID: '222222222222' },
        sources: { allowedARNs: ['arn:aws:sqs:*:111111111111:*'] },
      },
      mapping: { eventSourceARN: 'arn:aws:sqs:::orders' },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: 'arn:aws:sqs:eu-west-1:222222222222:orders',
    },
    {
      why: 'a partial ARN that nothing completes',
      spec: { aws: { region: 'eu-west-1' } },
      mapping: { eventSourceARN: 'arn:aws:sqs:::orders' },
      answer: { kind: 'denied', reason: 'IncompleteARN' },
      names: '`aws.accountID`',
    },
    {
      why: 'no URL without patterns',
      spec: {},
      mapping: url('https://api.example.com/'),
      answer: { kind: 'denied', reason: 'UrlNotPermitted' },
      names: 'allows none',
    },
    {
      why: 'a URL that the patterns admit',
      spec: { targets: { allowedURLs: ['https://{namespace}.example.com/*'] } },
      mapping: url('https://shop.example.com/hook'),
      answer: { kind: 'admitted' },
    },
    {
      why: 'a URL that gets its path from the format',
      spec: { targets: { allowedURLs: ['https://shop.example.com/2015-03-31/*'] } },
      mapping: {
        mode: 'Poller',
        poller: { target: { http: { url: 'https://shop.example.com', format: 'LambdaInvoke' } } },
      },
      answer: { kind: 'admitted' },
    },
    {
      why: 'a URL that would get another path from its format',
      spec: { targets: { allowedURLs: ['https://shop.example.com/2015-03-31/*'] } },
      mapping: url('https://shop.example.com'),
      answer: { kind: 'denied', reason: 'UrlNotPermitted' },
      names: '`poller.target.http.url`',
    },
    {
      why: 'a URL in Managed mode is inert',
      spec: {},
      mapping: { ...url('https://api.example.com/'), mode: 'Managed' },
      answer: { kind: 'admitted' },
    },
    {
      why: 'a destination that the patterns do not admit',
      spec: { destinations: { allowedARNs: ['arn:aws:sqs:*:000000000000:{namespace}-dlq'] } },
      mapping: {
        destinationConfig: {
          onFailure: { destination: 'arn:aws:sqs:eu-central-1:000000000000:billing-dlq' },
        },
      },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: '`destinationConfig.onFailure.destination`',
    },
    {
      why: 'a partial destination that is another one when it is completed',
      spec: {
        aws: { region: 'eu-west-1', accountID: '123456789012' },
        destinations: { allowedARNs: ['arn:aws:sqs::*:{namespace}-dlq', 'arn:aws:sqs:eu-west-1:*'] },
      },
      mapping: {
        eventSourceARN: 'arn:aws:sqs:eu-central-1:000000000000:orders',
        destinationConfig: { onFailure: { destination: 'arn:aws:sqs:::shop-dlq' } },
      },
      answer: { kind: 'denied', reason: 'ClassNotPermitted' },
      names: 'arn:aws:sqs:eu-central-1:000000000000:shop-dlq',
    },
    {
      why: 'a partial destination that the patterns admit when it is completed',
      spec: {
        aws: { region: 'eu-west-1', accountID: '123456789012' },
        destinations: { allowedARNs: ['arn:aws:sqs:eu-west-1:123456789012:{namespace}-dlq'] },
      },
      mapping: {
        eventSourceARN: 'arn:aws:sqs:::orders',
        destinationConfig: { onFailure: { destination: 'arn:aws:sqs:::shop-dlq' } },
      },
      answer: { kind: 'admitted' },
    },
  ])('$answer.kind: $why', ({ spec, mapping, labels, answer, names }) => {
    const found = judge(
      aMapping({ spec: mapping ?? {} }),
      [aClass(spec)],
      labels === undefined ? {} : { labels },
    );
    expect(found).toMatchObject(answer);
    expect(found.kind === 'denied' ? found.message : '').toContain(names ?? '');
  });

  it('tells a stranger nothing of what the class allows', () => {
    const secret = aClass({
      namespaces: ['other'],
      modes: ['Poller'],
      sources: { allowedARNs: ['arn:aws:sqs:*:*:secret'] },
    });
    const answer = judge(aMapping(), [secret]);
    expect(answer.kind === 'denied' ? answer.message : '').toBe(
      'MappingClass "standard" does not admit the namespace "shop"',
    );
  });

  it.each([
    ['quotas.concurrency', { quotas: { concurrency: 5 } }],
    ['quotas.bytesInFlight', { quotas: { bytesInFlight: 1_048_576 } }],
  ])('refuses what this release does not do for a class: %s', (field, spec) => {
    const answer = judge(aPollerMapping(), [aClass(spec)]);
    expect(answer).toMatchObject({ kind: 'denied', reason: 'NotSupported' });
    expect(answer.kind === 'denied' ? answer.message : '').toContain(field);
  });

  it('gives the places of a quota to the oldest mappings of the namespace and class', () => {
    const at = (name: string, second: number, namespace = 'shop', className?: string): EventSourceMapping =>
      aPollerMapping({
        metadata: { name, namespace, creationTimestamp: `2026-01-01T00:00:0${second}Z` },
        spec: className === undefined ? {} : { className },
      });
    const siblings = [at('c', 3), at('a', 1), at('b', 2), at('z', 0, 'other'), at('y', 0, 'shop', 'another')];
    const quota = aClass({ quotas: { mappings: 2 } });
    const answers = siblings
      .slice(0, 3)
      .map((mapping) => [mapping.metadata.name, judge(mapping, [quota], { siblings }).kind]);
    expect(answers).toEqual([
      ['c', 'denied'],
      ['a', 'admitted'],
      ['b', 'admitted'],
    ]);
    expect(judge(siblings[0] ?? aMapping(), [quota], { siblings })).toMatchObject({
      reason: 'QuotaExceeded',
    });
  });
});

describe('a label selector', () => {
  const labels = { team: 'a', tier: 'gold' };
  it.each<{ why: string; selector: NonNullable<MappingClassSpec['namespaceSelector']>; admits: boolean }>([
    { why: 'no requirement admits all', selector: {}, admits: true },
    {
      why: 'each label must be there',
      selector: { matchLabels: { team: 'a', tier: 'silver' } },
      admits: false,
    },
    {
      why: 'In',
      selector: { matchExpressions: [{ key: 'team', operator: 'In', values: ['a', 'b'] }] },
      admits: true,
    },
    {
      why: 'In, without the label',
      selector: { matchExpressions: [{ key: 'x', operator: 'In', values: ['a'] }] },
      admits: false,
    },
    {
      why: 'NotIn',
      selector: { matchExpressions: [{ key: 'team', operator: 'NotIn', values: ['a'] }] },
      admits: false,
    },
    {
      why: 'NotIn, without the label',
      selector: { matchExpressions: [{ key: 'x', operator: 'NotIn', values: ['a'] }] },
      admits: true,
    },
    { why: 'Exists', selector: { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, admits: true },
    {
      why: 'DoesNotExist',
      selector: { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] },
      admits: false,
    },
    {
      why: 'a key of every object is no label',
      selector: { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] },
      admits: false,
    },
    {
      why: 'all expressions must hold',
      selector: {
        matchExpressions: [
          { key: 'tier', operator: 'Exists' },
          { key: 'team', operator: 'In', values: ['b'] },
        ],
      },
      admits: false,
    },
  ])('$admits: $why', ({ selector, admits }) => {
    expect(selects(selector, labels)).toBe(admits);
  });
});

describe('a pattern', () => {
  it.each([
    ['', '', true],
    ['*', '', true],
    ['a*b', 'ab', true],
    ['a*b', 'axxb', true],
    ['a*b', 'a', false],
    ['ab*ba', 'aba', false],
    ['a*b*c', 'a-c-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a', 'A', false],
    ['a**b', 'ab', true],
    ['a.b', 'axb', false],
  ])('%j against %j: %j', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches);
  });

  it.each([
    { pattern: '*', arn: ordersARN, matches: true, why: 'everything' },
    {
      pattern: 'arn:aws:sqs:*:111111111111:*',
      arn: 'arn:aws:sqs:eu-west-1:111111111111:x',
      matches: true,
      why: 'the account',
    },
    {
      pattern: 'arn:aws:sqs:*:111111111111:*',
      arn: 'arn:aws:sqs:eu-west-1:222222222222:x:111111111111:y',
      matches: false,
      why: 'a star does not reach over a colon into another part',
    },
    {
      pattern: 'arn:aws:sqs:*',
      arn: ordersARN,
      matches: false,
      why: 'a pattern with too few parts admits nothing',
    },
    {
      pattern: 'arn:aws:sqs:*:*:{namespace}-*',
      arn: 'arn:aws:sqs:r:1:shop-x',
      matches: true,
      why: 'the namespace',
    },
    {
      pattern: 'arn:aws:sqs:*:*:{namespace}-*',
      arn: 'arn:aws:sqs:r:1:shopping',
      matches: false,
      why: 'and not a longer one',
    },
    {
      pattern: 'kafka://{namespace}-*',
      arn: 'kafka://shop-topic',
      matches: true,
      why: 'what is no ARN, by its whole text',
    },
    {
      pattern: 'kafka://*',
      arn: 'arn:aws:sqs:r:1:x',
      matches: false,
      why: 'one form does not admit the other',
    },
  ])('$pattern, $arn: $matches ($why)', ({ pattern, arn, matches }) => {
    expect(matchesARN(pattern, arn, 'shop')).toBe(matches);
  });

  it.each([
    {
      pattern: 'https://api.example.com/*',
      url: 'https://api.example.com/a?b',
      matches: true,
      why: 'path and query',
    },
    {
      pattern: 'https://api.example.com',
      url: 'https://api.example.com/any/path',
      matches: true,
      why: 'no path, every path',
    },
    {
      pattern: 'https://api.example.com/',
      url: 'https://api.example.com/other',
      matches: false,
      why: 'this path alone',
    },
    {
      pattern: 'https://api.example.com:443/*',
      url: 'https://API.example.com/a',
      matches: true,
      why: 'the default port',
    },
    {
      pattern: 'https://api.example.com/*',
      url: 'https://api.example.com:8443/a',
      matches: false,
      why: 'another port',
    },
    {
      pattern: 'https://api.example.com/*',
      url: 'http://api.example.com/a',
      matches: false,
      why: 'another scheme',
    },
    {
      pattern: 'https://*.example.com/x',
      url: 'https://evil.test/.example.com/x',
      matches: false,
      why: 'a star stays in the host',
    },
    {
      pattern: 'https://*.example.com/*',
      url: 'https://a.example.com.evil.test/',
      matches: false,
      why: 'a host that begins alike',
    },
    {
      pattern: 'https://api.example.com/*',
      url: 'https://api.example.com@evil.test/',
      matches: false,
      why: 'a user name is no host',
    },
    {
      pattern: 'https://*',
      url: 'https://user:pass@api.example.com/',
      matches: false,
      why: 'credentials in a URL',
    },
    {
      pattern: 'https://a.test/public/*',
      url: 'https://a.test/public/../admin',
      matches: false,
      why: 'dot segments are resolved first',
    },
    {
      pattern: 'https://a.test/public/*',
      url: 'https://a.test/public/%2e%2e/admin',
      matches: false,
      why: 'also escaped ones',
    },
    {
      pattern: 'https://{namespace}.test/*',
      url: 'https://billing.test/',
      matches: false,
      why: "another tenant's host",
    },
    {
      pattern: 'https://a.test/public/*',
      url: 'https://a.test/public/..%2Fadmin',
      matches: false,
      why: 'an escaped slash, which some servers decode before they route',
    },
    {
      pattern: 'https://a.test/public/*',
      url: 'https://a.test/public/%252e%252e/admin',
      matches: false,
      why: 'escaped twice',
    },
    {
      pattern: 'https://a.test/*',
      url: 'https://a.test/a%2Fb',
      matches: true,
      why: 'where every path is admitted, escapes lead nowhere else',
    },
    {
      pattern: 'https://a.test/*/public',
      url: 'https://a.test/admin?x=/public',
      matches: false,
      why: 'a star of the path does not reach into the query',
    },
    {
      pattern: 'https://a.test/hook',
      url: 'https://a.test/hook?as=admin',
      matches: false,
      why: 'no star at the end, no query',
    },
    {
      pattern: 'https://a.test/hook?team={namespace}',
      url: 'https://a.test/hook?team=shop',
      matches: true,
      why: 'a query of its own',
    },
    {
      pattern: 'https://a.test/hook?team={namespace}',
      url: 'https://a.test/hook?team=bank',
      matches: false,
      why: "another tenant's query",
    },
    { pattern: 'nonsense', url: 'https://a.test/', matches: false, why: 'a pattern that is no URL' },
    { pattern: 'https://*', url: 'nonsense', matches: false, why: 'a URL that is none' },
  ])('$pattern, $url: $matches ($why)', ({ pattern, url: text, matches }) => {
    expect(matchesURL(pattern, text, 'shop')).toBe(matches);
  });
});

describe('the identity that cleans up', () => {
  it('is that of the class for the namespace, and without a class the installation’s own', () => {
    expect(identityForRelease(aMapping(), aClass({ aws: { identity: 'Role', roleARN } }))).toEqual({
      kind: 'Role',
      roleARN: 'arn:aws:iam::111122223333:role/tenant-shop',
    });
    const own = aClass({ aws: { identity: 'ServiceAccount' } });
    expect(identityForRelease(aMapping({ spec: { aws: { serviceAccountName: 'orders' } } }), own)).toEqual({
      kind: 'ServiceAccount',
      name: 'orders',
    });
    expect(identityForRelease(aMapping(), own)).toEqual({ kind: 'ServiceAccount', name: 'default' });
    expect(identityForRelease(aMapping(), aClass())).toEqual({ kind: 'Installation' });
    expect(identityForRelease(aMapping(), undefined)).toEqual({ kind: 'Installation' });
  });
});
