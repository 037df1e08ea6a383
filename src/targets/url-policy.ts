/**
 * Which URLs a mapping may name as its target: a well-formed http or https URL without credentials that one of the
 * class's patterns admits (`api/class-patterns.ts`). Pure; what a name resolves to is judged when connecting
 * (`http/dial.ts`), so that an answer of DNS that changes in between gains nothing.
 */
import { isIP } from 'node:net';
import { matchesURL } from '../api/class-patterns.ts';
import { judgeAddress, type AddressPolicy } from './address-policy.ts';

export type UrlVerdict =
  | { readonly kind: 'permitted'; readonly url: URL }
  /** `InvalidSpec`: the URL itself is wrong; `UrlNotPermitted`: it is well formed and not allowed. */
  | {
      readonly kind: 'refused';
      readonly reason: 'InvalidSpec' | 'UrlNotPermitted';
      readonly message: string;
    };

const field = '`poller.target.http.url`';
const invalid = (message: string): UrlVerdict => ({ kind: 'refused', reason: 'InvalidSpec', message });
const notPermitted = (message: string): UrlVerdict => ({
  kind: 'refused',
  reason: 'UrlNotPermitted',
  message,
});

/**
 * Judges `text`. `patterns` is the class's `targets.allowedURLs`, or `'any'` where no class governs (`sluice run`).
 * Messages never show credentials or the query, which may hold a secret.
 */
export function permitUrl(
  text: string,
  patterns: readonly string[] | 'any',
  namespace: string,
  addresses: AddressPolicy,
): UrlVerdict {
  // WHATWG parsing turns backslashes into slashes and drops line breaks: what a person reads is not what is called.
  if (/[\p{Cc}\p{Zs}\\]/u.test(text)) {
    return invalid(`${field} must not contain spaces, control characters or backslashes`);
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return invalid(`${field} must be an absolute URL such as https://orders.example.com/events`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return invalid(`${field} has the scheme ${url.protocol.slice(0, -1)}: it must be http or https`);
  }
  if (url.username !== '' || url.password !== '') {
    return invalid(`${field} must not contain credentials; use \`poller.target.http.headers\` instead`);
  }
  if (text.includes('#')) return invalid(`${field} must not contain a fragment: it is never sent`);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const shown = `${url.protocol}//${url.host}${url.pathname}`;
  if (isIP(host) !== 0) {
    const verdict = judgeAddress(host, addresses);
    if (verdict.kind === 'refused') {
      return notPermitted(`${field} is ${shown}, which is not allowed: its host is ${verdict.why}`);
    }
  } else if (!addresses.allowLoopback && /^(?:.*\.)?localhost\.?$/.test(host)) {
    return notPermitted(`${field} is ${shown}, which is not allowed: its host is a loopback address`);
  }
  if (patterns === 'any' || patterns.some((pattern) => admits(pattern, url, namespace))) {
    return { kind: 'permitted', url };
  }
  return notPermitted(
    patterns.length === 0
      ? `${field} is ${shown}, but the class allows no URL: use \`poller.target.http.service\``
      : `${field} is ${shown}: it must match one of the class's \`targets.allowedURLs\``,
  );
}

function admits(pattern: string, url: URL, namespace: string): boolean {
  if (!matchesURL(pattern, url.href, namespace)) return false;
  // Servers differ in whether they decode an escaped slash or dot before they route: behind `/team-a/*` such a path
  // may lead to anybody's. Where a pattern limits the path, it is not trusted.
  const limitsPath = !/^[^/]*:\/\/[^/]*(?:\/\*)?$/.test(pattern);
  return !limitsPath || !/%(?:2f|5c|2e|25)/i.test(url.pathname);
}
