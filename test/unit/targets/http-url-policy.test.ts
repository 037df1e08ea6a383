import { createServer } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit } from '../../../src/api/class-rules.ts';
import { deferred } from '../../../src/lib/lifecycle.ts';
import type { Resolver } from '../../../src/targets/address-policy.ts';
import { urlEndpoint } from '../../../src/targets/http-endpoints.ts';
import { dial } from '../../../src/targets/http/dial.ts';
import { permitUrl } from '../../../src/targets/url-policy.ts';
import { aClass, aPollerMapping } from '../../support/mappings.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const cluster = { allowLoopback: false };
const laptop = { allowLoopback: true };

/** Answers of DNS in these tests; a list of lists changes its answer with each question. */
const names: Readonly<Record<string, readonly string[]>> = {
  'metadata.google.internal': ['169.254.169.254'],
  'imds.attacker.test': ['169.254.169.254'],
  'imds6.attacker.test': ['fd00:ec2::254'],
  'localtest.attacker.test': ['127.0.0.1'],
  'mapped.attacker.test': ['::ffff:169.254.169.254'],
  'nat64.attacker.test': ['64:ff9b::a9fe:a9fe'],
  'mixed.attacker.test': ['198.51.100.7', '169.254.170.2'],
  'zero.attacker.test': ['0.0.0.0'],
  'empty.attacker.test': [],
  '169.254.169.254.nip.attacker.test': ['169.254.169.254'],
};
const resolver: Resolver = async (hostname) => names[hostname.replace(/\.$/, '')] ?? ['198.51.100.9'];

/** What becomes of a URL on its whole way: as written, and as resolved. The last step, connecting, is not made. */
async function way(url: string): Promise<string> {
  const verdict = permitUrl(url, 'any', 'shop', cluster);
  if (verdict.kind === 'refused') return verdict.reason;
  const [endpoint] = readyList(verdict.url);
  const cut = new AbortController();
  const deps = {
    clock: new VirtualClock(),
    addresses: cluster,
    // A good name ends here: no packet leaves the test.
    resolver: async (hostname: string) => {
      const addresses = await resolver(hostname);
      if (!addresses.some((address) => address.startsWith('198.51.100.9'))) return addresses;
      cut.abort();
      return [];
    },
  };
  const result = await dial(deps, endpoint, undefined, 0, 1000, cut.signal);
  if (cut.signal.aborted) return 'connects';
  return result.kind === 'connected'
    ? 'connects'
    : result.outcome.kind === 'delivered'
      ? ''
      : result.outcome.reason;
}

function readyList(url: URL): readonly [{ readonly host: string; readonly port: number }] {
  const state = urlEndpoint(url).current();
  const first = state.kind === 'ready' ? state.list[0] : undefined;
  if (first === undefined) throw new Error('a URL is always ready');
  return [first];
}

describe('URLs that lead where they must not', () => {
  test.each([
    { url: 'http://169.254.169.254/latest/meta-data/', why: 'metadata, plainly' },
    { url: 'http://169.254.169.254:80/', why: 'with its port' },
    { url: 'http://2852039166/', why: 'decimal' },
    { url: 'http://0xa9fea9fe/', why: 'hexadecimal' },
    { url: 'http://0xA9.0xFE.0xA9.0xFE/', why: 'hexadecimal, dotted' },
    { url: 'http://0251.0376.0251.0376/', why: 'octal' },
    { url: 'http://0251.254.0xa9.254/', why: 'mixed bases' },
    { url: 'http://169.254.43518/', why: 'short: three parts' },
    { url: 'http://169.16689662/', why: 'short: two parts' },
    { url: 'http://169.254.169.254./', why: 'a trailing dot' },
    { url: 'http://%31%36%39.254.169.254/', why: 'percent-encoded digits' },
    { url: 'http://169%2e254%2e169%2e254/', why: 'percent-encoded dots' },
    { url: 'http://１６９.２５４.１６９.２５４/', why: 'full-width digits' },
    { url: 'http://169。254。169。254/', why: 'ideographic full stops' },
    { url: 'http://①⑥⑨.254.169.254/', why: 'circled digits' },
    { url: 'http://[::ffff:169.254.169.254]/', why: 'mapped' },
    { url: 'http://[::ffff:a9fe:a9fe]/', why: 'mapped, in hexadecimal' },
    { url: 'http://[fd00:ec2::254]/', why: 'metadata over IPv6' },
    { url: 'http://[fe80::1]/', why: 'link-local' },
    { url: 'http://[64:ff9b::a9fe:a9fe]/', why: 'NAT64' },
    { url: 'http://[2002:a9fe:a9fe::]/', why: '6to4' },
    { url: 'http://[::]/', why: 'unspecified' },
    { url: 'http://0/', why: 'unspecified, in one digit' },
    { url: 'http://0.0.0.0:8080/', why: 'unspecified' },
    { url: 'http://127.0.0.1/', why: 'loopback' },
    { url: 'http://127.1/', why: 'loopback, short' },
    { url: 'http://2130706433/', why: 'loopback, decimal' },
    { url: 'http://0x7f.1/', why: 'loopback, hexadecimal and short' },
    { url: 'http://0177.0.0.1/', why: 'loopback, octal' },
    { url: 'http://[::1]/', why: 'loopback, IPv6' },
    { url: 'http://[::ffff:7f00:1]/', why: 'loopback, mapped' },
    { url: 'http://localhost/', why: 'loopback by name' },
    { url: 'http://localhost./', why: 'loopback by name, with a trailing dot' },
    { url: 'http://LOCALHOST/', why: 'case makes no difference' },
    { url: 'http://api.localhost/', why: 'everything below localhost' },
    { url: 'http://metadata.google.internal/', why: 'metadata by its name' },
    { url: 'http://imds.attacker.test/', why: 'a name that resolves to metadata' },
    { url: 'http://imds6.attacker.test/', why: 'a name that resolves to metadata over IPv6' },
    { url: 'http://localtest.attacker.test/', why: 'a name that resolves to loopback' },
    { url: 'http://mapped.attacker.test/', why: 'a name that resolves to a mapped address' },
    { url: 'http://nat64.attacker.test/', why: 'a name that resolves to a NAT64 address' },
    { url: 'http://mixed.attacker.test/', why: 'one bad address among good ones' },
    { url: 'http://zero.attacker.test/', why: 'a name that resolves to the unspecified address' },
    { url: 'http://169.254.169.254.nip.attacker.test/', why: 'a name made of an address' },
    { url: 'http://imds.attacker.test./', why: 'a trailing dot after a name' },
  ])('refuses $url: $why', async ({ url }) => {
    expect(await way(url)).toBe('UrlNotPermitted');
  });

  test.each([
    { url: 'ftp://orders.example.com/', why: 'another scheme' },
    { url: 'file:///etc/passwd', why: 'a file' },
    { url: 'gopher://127.0.0.1:6379/_', why: 'a scheme that speaks to anything' },
    { url: 'data:text/plain,x', why: 'no host at all' },
    { url: '//orders.example.com/', why: 'no scheme' },
    { url: 'orders.example.com', why: 'no scheme and no slashes' },
    { url: 'http://', why: 'no host' },
    { url: 'http://user:secret@orders.example.com/', why: 'credentials' },
    { url: 'http://orders.example.com@169.254.169.254/', why: 'a user name that looks like the host' },
    { url: 'http://@orders.example.com:80@10.0.0.1/', why: 'two @ signs' },
    { url: 'http://orders.example.com\\@169.254.169.254/', why: 'a backslash that some read as a path' },
    { url: 'http:\\\\169.254.169.254\\', why: 'backslashes for slashes' },
    { url: 'http://orders.example.com/\r\nHost: evil.test', why: 'a line break' },
    { url: 'http://169.254\t.169.254/', why: 'a tab, which URL parsers drop' },
    { url: ' http://orders.example.com/', why: 'a leading space' },
    { url: 'http://orders.example.com/#x', why: 'a fragment' },
    { url: 'http://orders.example.com:99999/', why: 'a port that does not exist' },
    { url: 'http://256.256.256.256/', why: 'no address' },
    { url: 'http://[fe80::1%25eth0]/', why: 'a zone' },
    { url: 'http://a b.example.com/', why: 'a space in the host' },
  ])('finds $url invalid: $why', async ({ url }) => {
    expect(await way(url)).toBe('InvalidSpec');
  });

  test.each([
    { url: 'https://orders.example.com/events?tenant=a', why: 'an ordinary URL' },
    { url: 'http://orders.example.com:8080/', why: 'another port' },
    { url: 'https://ORDERS.example.com/', why: 'capitals' },
    { url: 'https://bücher.example.com/', why: 'an international name' },
    { url: 'http://orders.shop.svc.cluster.local/', why: 'a name in the cluster' },
  ])('lets $url through: $why', async ({ url }) => {
    expect(await way(url)).toBe('connects');
  });

  test('loopback is allowed on the own machine', () => {
    for (const url of ['http://127.0.0.1:3000/', 'http://localhost:3000/', 'http://[::1]:3000/']) {
      expect(permitUrl(url, 'any', 'shop', laptop).kind).toBe('permitted');
    }
  });

  test('a name without an address is not reachable, which may pass, and not forbidden', async () => {
    expect(await way('http://empty.attacker.test/')).toBe('TargetUnreachable');
  });

  test('messages show neither credentials nor the query', () => {
    for (const url of ['http://user:hunter2@10.0.0.1/', 'https://orders.example.com/?token=hunter2']) {
      const verdict = permitUrl(url, [], 'shop', cluster);
      expect(verdict).toMatchObject({ kind: 'refused' });
      expect(JSON.stringify(verdict)).not.toContain('hunter2');
    }
  });
});

describe('what the class allows', () => {
  const verdict = (url: string, ...patterns: string[]): string =>
    permitUrl(url, patterns, 'shop', cluster).kind;

  test('no pattern, no URL', () => {
    expect(verdict('https://orders.example.com/')).toBe('refused');
  });

  test.each([
    {
      pattern: 'https://orders.example.com',
      url: 'https://orders.example.com/any/path',
      why: 'no path, any path',
    },
    { pattern: 'https://*.example.com', url: 'https://a.example.com/', why: 'a wildcard label' },
    {
      pattern: 'https://*.{namespace}.example.com/*',
      url: 'https://a.shop.example.com/x',
      why: 'the own namespace',
    },
    {
      pattern: 'https://api.example.com/{namespace}/*',
      url: 'https://api.example.com/shop/x',
      why: 'in the path',
    },
    { pattern: 'http://orders.example.com:8080', url: 'http://orders.example.com:8080/', why: 'the port' },
  ])('$pattern admits $url: $why', ({ pattern, url }) => {
    expect(verdict(url, pattern)).toBe('permitted');
  });

  test.each([
    { pattern: 'https://*.example.com', url: 'https://example.com/', why: 'the parent is not below itself' },
    {
      pattern: 'https://*.example.com',
      url: 'https://evil.test/.example.com',
      why: 'no reach into the path',
    },
    {
      pattern: 'https://*.example.com',
      url: 'https://evil.test?.example.com',
      why: 'no reach into the query',
    },
    { pattern: 'https://*.example.com', url: 'http://a.example.com/', why: 'another scheme' },
    { pattern: 'https://*.example.com', url: 'https://a.example.com.evil.test/', why: 'a longer name' },
    { pattern: 'https://orders.example.com', url: 'https://orders.example.com:8443/', why: 'another port' },
    {
      pattern: 'https://*.{namespace}.example.com',
      url: 'https://a.bank.example.com/',
      why: 'another namespace',
    },
    {
      pattern: 'https://api.example.com/{namespace}/*',
      url: 'https://api.example.com/shop/../bank/x',
      why: 'dots',
    },
    {
      pattern: 'https://api.example.com/{namespace}/*',
      url: 'https://api.example.com/shop/%2e%2e/bank/x',
      why: 'escaped dots',
    },
    {
      pattern: 'https://api.example.com/{namespace}/*',
      url: 'https://api.example.com/shop/..%2fbank/x',
      why: 'an escaped slash',
    },
    {
      pattern: 'https://api.example.com/{namespace}/*',
      url: 'https://api.example.com/shop/%252e%252e/x',
      why: 'escaped twice',
    },
    { pattern: 'http://*', url: 'http://169.254.169.254/', why: 'no pattern allows metadata' },
    { pattern: 'http://169.254.169.254', url: 'http://169.254.169.254/', why: 'not even by name' },
  ])('$pattern does not admit $url: $why', ({ pattern, url }) => {
    expect(verdict(url, pattern)).toBe('refused');
  });

  test('the message says what must match', () => {
    expect(permitUrl('https://evil.test/x', ['https://*.example.com'], 'shop', cluster)).toEqual({
      kind: 'refused',
      reason: 'UrlNotPermitted',
      message:
        "`poller.target.http.url` is https://evil.test/x: it must match one of the class's `targets.allowedURLs`",
    });
  });
});

describe('admission and the poller', () => {
  const part = (...texts: string[]) => fc.constantFrom(...texts);
  // What people and attackers write, in all combinations; addresses are the poller's alone to judge.
  const url = fc
    .tuple(
      part('https:', 'http:', 'HTTPS:', 'ftp:', ''),
      part('//', '/', '\\\\', '///'),
      part('', 'user:secret@', '@'),
      part(
        'api.example.com',
        'API.example.com',
        'a.shop.example.com',
        'evil.test',
        'a b',
        'api.example.com.',
        '256.1.1.1',
      ),
      part('', ':443', ':80', ':8443', ':99999'),
      fc.array(part('/', '/shop', '/bank', '/..', '/%2e%2e', '..%2f', '%252e', '%5C', '/x', 'é', ' ', '\\'), {
        maxLength: 4,
      }),
      part('', '?', '?a=hunter2/shop/x', '?/x', '#f', '?a#f'),
    )
    .map(
      ([scheme, slashes, user, host, port, path, rest]) =>
        `${scheme}${slashes}${user}${host}${port}${path.join('')}${rest}`,
    );
  const pattern = fc
    .tuple(
      part('https://', 'http://', '*://', ''),
      part('api.example.com', '*', '*.example.com', '*.{namespace}.example.com', 'API.example.com:443'),
      part('', '/', '/*', '/{namespace}/*', '/*/x', '/shop', '/*?a=*', '/shop?/x'),
    )
    .map((parts) => parts.join(''));

  test('give the same verdict on every URL and every pattern', () => {
    const seen = new Set<string>();
    const agree = fc.property(url, fc.array(pattern, { maxLength: 3 }), (text, allowedURLs) => {
      const mapping = aPollerMapping({ spec: { poller: { target: { http: { url: text } } } } });
      const classes = [aClass({ targets: { allowedURLs } })];
      const admission = admit({ mapping, classes, namespaceLabels: {}, siblings: [] });
      const verdict = permitUrl(text, allowedURLs, 'shop', cluster);
      const admitted = admission.kind === 'admitted' ? 'permitted' : admission.reason;
      seen.add(admitted);
      expect(admitted).toBe(verdict.kind === 'permitted' ? 'permitted' : verdict.reason);
      if (admission.kind === 'denied') expect(admission.message).not.toMatch(/secret|hunter2/);
    });
    fc.assert(agree, { numRuns: 5000 });
    expect([...seen].toSorted()).toEqual(['InvalidSpec', 'UrlNotPermitted', 'permitted']);
  });
});

describe('a name that changes its meaning between check and connect', () => {
  test('is asked once, and the connection goes to the address that was judged', async () => {
    const reached = deferred<void>();
    const server = createServer((socket) => {
      reached.resolve();
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    let questions = 0;
    const rebinding: Resolver = async () => (++questions === 1 ? ['127.0.0.1'] : ['169.254.169.254']);
    const deps = { clock: new VirtualClock(), addresses: laptop, resolver: rebinding };
    const endpoint = { host: 'rebind.attacker.test', port };

    const first = await dial(deps, endpoint, undefined, 0, 1000, new AbortController().signal);
    expect(first.kind).toBe('connected');
    await reached.promise;
    expect(questions).toBe(1);
    if (first.kind === 'connected') first.socket.destroy();

    const second = await dial(deps, endpoint, undefined, 0, 1000, new AbortController().signal);
    expect(second).toMatchObject({
      kind: 'not-connected',
      outcome: { kind: 'refused', reason: 'UrlNotPermitted' },
    });
    await new Promise((resolve) => server.close(resolve));
  });
});
