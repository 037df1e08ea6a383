/**
 * What may stand in `poller.target.http.url` at all: an absolute http or https URL that every program reads alike. One
 * reader for the command line, the controller and the poller, so that their verdicts agree. Whether a class admits
 * the URL is in `class-patterns.ts`; where it leads is judged when connecting. Pure.
 */

export type TargetUrl =
  | { readonly kind: 'url'; readonly url: URL }
  /** `message` names the field and never shows what may be a secret: credentials and the query. */
  | { readonly kind: 'invalid'; readonly message: string };

const field = '`poller.target.http.url`';
const invalid = (message: string): TargetUrl => ({ kind: 'invalid', message: `${field} ${message}` });

/** Reads the text of the field. */
export function readTargetUrl(text: string): TargetUrl {
  // WHATWG parsing turns backslashes into slashes and drops line breaks: what a person reads is not what is called.
  if (/[\p{Cc}\p{Zs}\\]/u.test(text)) {
    return invalid('must not contain spaces, control characters or backslashes');
  }
  if (!URL.canParse(text))
    return invalid('must be an absolute URL such as https://orders.example.com/events');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return invalid(`has the scheme ${url.protocol.slice(0, -1)}: it must be http or https`);
  }
  if (url.username !== '' || url.password !== '') {
    return invalid('must not contain credentials; use `poller.target.http.headers` instead');
  }
  if (text.includes('#')) return invalid('must not contain a fragment: it is never sent');
  return { kind: 'url', url };
}

/** The path of a target that names none: of `LambdaInvoke` that of the runtime interface emulator. */
export function defaultPath(format: string | undefined): string {
  return format === 'LambdaInvoke' ? '/2015-03-31/functions/function/invocations' : '/';
}

/** The URL that is called: the text of the field with the format's path where it names none. */
export function calledUrl(text: string, format: string | undefined): string {
  const bare = /^(https?:\/\/[^/?#\\]+)\/?$/.exec(text)?.[1];
  return bare === undefined || format !== 'LambdaInvoke' ? text : bare + defaultPath(format);
}

/** The URL for a message: without its query, which may hold a secret. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
