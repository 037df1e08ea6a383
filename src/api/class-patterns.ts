/**
 * The patterns of a MappingClass: `*` stands for any run of characters and `{namespace}` for the namespace of the
 * mapping. Pure, linear in the text, without regular expressions, since classes and mappings come from people who
 * do not trust each other.
 *
 * A `*` never reaches from one part of an ARN or URL into another: `https://*.example.com/x` does not admit
 * `https://evil.test/.example.com/x`, nor does `arn:aws:sqs:*:111122223333:*` admit another account.
 */

/** Replaces `{namespace}`; nothing else in braces has a meaning. */
export function expandNamespace(pattern: string, namespace: string): string {
  return pattern.replaceAll('{namespace}', namespace);
}

/** Whether `text` matches the whole of `pattern`, in which `*` stands for any run of characters. */
export function matchesGlob(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return text === pattern;
  if (!text.startsWith(first)) return false;
  let position = first.length;
  for (const part of rest) {
    const found = text.indexOf(part, position);
    if (found < 0) return false;
    position = found + part.length;
  }
  return text.length - last.length >= position && text.endsWith(last);
}

/** Whether the class's pattern admits the ARN (or another name of a destination, as `kafka://topic`). */
export function matchesARN(pattern: string, arn: string, namespace: string): boolean {
  const expanded = expandNamespace(pattern, namespace);
  if (expanded === '*') return true;
  const wanted = expanded.split(':');
  const found = arn.split(':');
  // Only a complete ARN is compared part by part: arn:partition:service:region:account:resource.
  if (wanted[0] !== 'arn' || found[0] !== 'arn') {
    return wanted[0] !== 'arn' && found[0] !== 'arn' && matchesGlob(expanded, arn);
  }
  if (found.length < 6 || wanted.length < 6) return false;
  for (let index = 0; index < 5; index++) {
    if (!matchesGlob(wanted[index] ?? '', found[index] ?? '')) return false;
  }
  return matchesGlob(wanted.slice(5).join(':'), found.slice(5).join(':'));
}

/**
 * Whether the class's pattern admits the URL. A pattern without a path admits every path of its host and port; one
 * without a query admits every query if it ends in `*`, and otherwise none.
 *
 * Where a pattern limits the path, a path with an escaped slash, backslash, dot or percent sign is not admitted:
 * servers differ in whether they decode it before they route, so that behind `/team-a/*` it may lead to anybody's.
 */
export function matchesURL(pattern: string, url: string, namespace: string): boolean {
  const wanted = split(expandNamespace(pattern, namespace));
  if (wanted === undefined || !URL.canParse(url)) return false;
  // What the client will really ask for: dot segments resolved, host lower-cased, default port left out.
  const { protocol, host, pathname, search, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  if (!matchesGlob(wanted.scheme, protocol.slice(0, -1))) return false;
  if (!matchesGlob(withoutDefaultPort(wanted.scheme, wanted.host), host)) return false;
  const { path, query } = wanted;
  if (path === undefined) return true;
  const isAmbiguous = path !== '/*' && /%(?:2f|5c|2e|25)/i.test(pathname);
  if (isAmbiguous || !matchesGlob(path, pathname)) return false;
  return query === undefined ? search === '' || path.endsWith('*') : matchesGlob(query, search);
}

interface UrlPattern {
  readonly scheme: string;
  readonly host: string;
  readonly path: string | undefined;
  /** With its `?`. */
  readonly query: string | undefined;
}

function split(pattern: string): UrlPattern | undefined {
  const colon = pattern.indexOf('://');
  if (colon < 1) return undefined;
  const rest = pattern.slice(colon + 3);
  const slash = rest.indexOf('/');
  const host = slash < 0 ? rest : rest.slice(0, slash);
  if (host === '') return undefined;
  const path = slash < 0 ? undefined : rest.slice(slash);
  const mark = path?.indexOf('?') ?? -1;
  return {
    scheme: pattern.slice(0, colon).toLowerCase(),
    host: host.toLowerCase(),
    path: mark < 0 ? path : path?.slice(0, mark),
    query: mark < 0 ? undefined : path?.slice(mark),
  };
}

function withoutDefaultPort(scheme: string, host: string): string {
  const port = scheme === 'http' ? ':80' : scheme === 'https' ? ':443' : undefined;
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
}
