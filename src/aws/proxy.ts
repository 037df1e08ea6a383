/**
 * The forward proxy on the way to AWS, from the variables that other programs read: `HTTPS_PROXY`, `HTTP_PROXY` and
 * `NO_PROXY`, or the same in lower case, which win. Pure. One reading for both clients: Node's agents (the SDK) get it by
 * `agentProxy`, Sluice's own requests ask `proxyFor`.
 *
 * It is for AWS alone: HTTP targets are never called through it (`docs/decisions/`), and instance and container
 * credentials come from this very machine.
 */
import { isIP } from 'node:net';
import { never, SluiceError } from '../lib/errors.ts';

/** A proxy; the URL may hold credentials and is never shown. */
export interface Proxy {
  /** Scheme, host and port. */
  readonly origin: string;
  /** `Basic …`, or undefined without credentials. */
  readonly authorization: string | undefined;
  readonly url: string;
}

export interface ProxySettings {
  /** For `http:` endpoints. */
  readonly http: Proxy | undefined;
  /** For `https:` endpoints, which AWS's own are. */
  readonly https: Proxy | undefined;
  readonly direct: readonly Direct[];
}

/** What is reached without the proxy. */
interface Direct {
  readonly port: number | undefined;
  readonly matches: (host: string) => boolean;
  /** How Node's agents say the same. */
  readonly agentForms: readonly string[];
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the variables; undefined without a proxy. Throws `InvalidSpec` for a proxy that cannot be used. */
export function proxyFromEnv(env: Env): ProxySettings | undefined {
  const http = readProxy(env, 'HTTP_PROXY');
  const https = readProxy(env, 'HTTPS_PROXY');
  if (http === undefined && https === undefined) return undefined;
  const direct = (variable(env, 'NO_PROXY')?.text ?? '')
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(readDirect);
  return { http, https, direct };
}

/** The proxy to reach `url` by, or undefined for none. */
export function proxyFor(settings: ProxySettings | undefined, url: URL): Proxy | undefined {
  const proxy = url.protocol === 'https:' ? settings?.https : settings?.http;
  if (settings === undefined || proxy === undefined) return undefined;
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  const isDirect = settings.direct.some(
    (each) => (each.port === undefined || each.port === port) && each.matches(host),
  );
  return isDirect ? undefined : proxy;
}

/** The option `proxyEnv` of Node's agents; empty without a proxy. */
export function agentProxy(settings: ProxySettings | undefined): {
  readonly proxyEnv?: Readonly<Record<string, string>>;
} {
  if (settings === undefined) return {};
  const { http, https, direct } = settings;
  return {
    proxyEnv: {
      ...(http === undefined ? {} : { http_proxy: http.url }),
      ...(https === undefined ? {} : { https_proxy: https.url }),
      no_proxy: direct.flatMap(({ agentForms }) => agentForms).join(','),
    },
  };
}

function variable(env: Env, name: string): { readonly name: string; readonly text: string } | undefined {
  for (const each of [name.toLowerCase(), name]) {
    const text = env[each]?.trim();
    if (text !== undefined && text !== '') return { name: each, text };
  }
  return undefined;
}

function readProxy(env: Env, variableName: string): Proxy | undefined {
  const found = variable(env, variableName);
  if (found === undefined) return undefined;
  // As curl has it: a proxy without a scheme is an http one.
  const url = URL.parse(found.text.includes('://') ? found.text : `http://${found.text}`);
  if (url === null || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    // What holds an @ may hold a password.
    const shown = found.text.includes('@') ? '' : `, found ${found.text}`;
    throw new SluiceError('InvalidSpec', `\`${found.name}\` must be an http or https URL${shown}`, never);
  }
  const name = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  const isNamed = name !== '' || password !== '';
  const credentials = Buffer.from(`${name}:${password}`).toString('base64');
  return {
    origin: url.origin,
    authorization: isNamed ? `Basic ${credentials}` : undefined,
    url: url.href,
  };
}

/**
 * One entry: `*`; a name, which stands for itself and everything below it, with or without a leading dot or `*.`; an
 * address; a range of IPv4 addresses (`10.0.0.0/8`). A name or an address with a port is that very one at that port.
 */
function readDirect(entry: string): Direct {
  const [, bare = entry, portText] = /^(.*?[^:]|\[.*\]):(\d{1,5})$/.exec(entry) ?? [];
  // A bare IPv6 address has colons of its own.
  const isAddress = isIP(entry) !== 0;
  const text = (isAddress ? entry : bare).replace(/^\[|\]$/g, '').toLowerCase();
  const port = isAddress || portText === undefined ? undefined : Number(portText);
  const withPort = (form: string): string => (port === undefined ? form : `${form}:${port}`);
  if (text === '*') return { port, matches: () => true, agentForms: [withPort('*')] };
  const range = ipv4Range(text);
  if (range !== undefined) {
    const [first, last] = range;
    const matches = (host: string): boolean => {
      const number = ipv4Number(host);
      return number !== undefined && number >= first && number <= last;
    };
    return { port, matches, agentForms: [`${ipv4Text(first)}-${ipv4Text(last)}`] };
  }
  if (isIP(text) !== 0) {
    const shown = isIP(text) === 6 ? `[${text}]` : text;
    return {
      port,
      matches: (host) => host === text,
      agentForms: [withPort(shown), withPort(text)],
    };
  }
  const name = text.replace(/^\*?\./, '');
  // With a port Node's agents know the very host only.
  if (port !== undefined) {
    return { port, matches: (host) => host === name, agentForms: [withPort(name)] };
  }
  const matches = (host: string): boolean => host === name || host.endsWith(`.${name}`);
  return { port, matches, agentForms: [name, `.${name}`] };
}

function ipv4Range(text: string): readonly [number, number] | undefined {
  const [, address = '', bitsText = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const start = ipv4Number(address);
  const bits = Number(bitsText);
  if (start === undefined || bitsText === '' || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor(start / size) * size;
  return [first, first + size - 1];
}

function ipv4Number(text: string): number | undefined {
  if (isIP(text) !== 4) return undefined;
  return text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
}

function ipv4Text(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}
