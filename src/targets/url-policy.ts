/**
 * Which URLs a mapping may name as its target: a well-formed one (`api/target-url.ts`) that one of the class's patterns
 * admits (`api/class-patterns.ts`), as admission judges it (`api/class-rules.ts`), and whose host, if it is an address,
 * may be reached. Pure; what a name resolves to is judged when connecting (`http/dial.ts`), so that an answer of DNS
 * that changes in between gains nothing.
 */
import { isIP } from 'node:net';
import { matchesURL } from '../api/class-patterns.ts';
import { readTargetUrl, shownUrl } from '../api/target-url.ts';
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
  const read = readTargetUrl(text);
  if (read.kind === 'invalid') return { kind: 'refused', reason: 'InvalidSpec', message: read.message };
  const { url } = read;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const shown = shownUrl(url);
  if (isIP(host) !== 0) {
    const verdict = judgeAddress(host, addresses);
    if (verdict.kind === 'refused') {
      return notPermitted(`${field} is ${shown}, which is not allowed: its host is ${verdict.why}`);
    }
  } else if (!addresses.allowLoopback && /^(?:.*\.)?localhost\.?$/.test(host)) {
    return notPermitted(`${field} is ${shown}, which is not allowed: its host is a loopback address`);
  }
  if (patterns === 'any' || patterns.some((pattern) => matchesURL(pattern, url.href, namespace))) {
    return { kind: 'permitted', url };
  }
  return notPermitted(
    patterns.length === 0
      ? `${field} is ${shown}, but the class allows no URL: use \`poller.target.http.service\``
      : `${field} is ${shown}: it must match one of the class's \`targets.allowedURLs\``,
  );
}
