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

/** Whether the class's pattern admits the URL. A pattern without a path admits every path of its host and port. */
export function matchesURL(pattern: string, url: string, namespace: string): boolean {
  const wanted = split(expandNamespace(pattern, namespace));
  if (wanted === undefined || !URL.canParse(url)) return false;
  // What the client will really ask for: dot segments resolved, host lower-cased, default port left out.
  const { protocol, host, pathname, search, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return (
    matchesGlob(wanted.scheme, protocol.slice(0, -1)) &&
    matchesGlob(withoutDefaultPort(wanted.scheme, wanted.host), host) &&
    (wanted.path === undefined || matchesGlob(wanted.path, pathname + search))
  );
}

function split(pattern: string): { scheme: string; host: string; path: string | undefined } | undefined {
  const colon = pattern.indexOf('://');
  if (colon < 1) return undefined;
  const rest = pattern.slice(colon + 3);
  const slash = rest.indexOf('/');
  const host = slash < 0 ? rest : rest.slice(0, slash);
  if (host === '') return undefined;
  return {
    scheme: pattern.slice(0, colon).toLowerCase(),
    host: host.toLowerCase(),
    path: slash < 0 ? undefined : rest.slice(slash),
  };
}

function withoutDefaultPort(scheme: string, host: string): string {
  const port = scheme === 'http' ? ':80' : scheme === 'https' ? ':443' : undefined;
  return port !== undefined && host.endsWith(port) ? host.slice(0, -port.length) : host;
}
