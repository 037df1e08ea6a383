/**
 * The headers of a call: Sluice's own, the fixed ones of the spec, and the trace. Pure but for the trace id passed in.
 * Everything that comes from users or records is checked here, so that a bad value is an error of the spec, or is left
 * out, and never a call that cannot be made.
 */
import { reservedHeaders } from '../../api/rules.ts';
import { traceIdOf, traceparentOf } from '../../aws/trace-context.ts';
import { never, SluiceError } from '../../lib/errors.ts';
import type { Invocation } from '../../poller/ports.ts';

/** Most fixed headers, as the spec says. */
export const maxHeaders = 32;
const maxValueLength = 8192;

const reserved: ReadonlySet<string> = new Set(reservedHeaders);

/**
 * Checks the fixed headers and returns them with lower-case names. Throws `InvalidSpec` with the name of the header;
 * a value is never shown, since it may come from a Secret.
 */
export function checkFixedHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const names = Object.keys(headers);
  if (names.length > maxHeaders) {
    throw invalid('', `has ${names.length} entries: it must have at most ${maxHeaders}`);
  }
  const checked: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of names) {
    const lower = name.toLowerCase();
    const value = headers[name] ?? '';
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/.test(lower)) {
      throw invalid('', `has the name ${JSON.stringify(name)}: it must be a valid HTTP header name`);
    }
    if (reserved.has(lower)) throw invalid(name, 'must not be set: Sluice or the connection sets it');
    if (lower in checked) throw invalid(name, 'must be given once; case makes no difference');
    const problem = headerValueProblem(value);
    if (problem !== undefined) throw invalid(name, problem);
    checked[lower] = value;
  }
  return checked;
}

/** Why a value cannot be sent, to complete "… <field>"; undefined if it can. Never shows the value. */
export function headerValueProblem(value: string): string | undefined {
  if (/[\r\n]/.test(value)) return 'must not contain a line break (a Secret made with `echo` ends in one)';
  if (!/^[\t -~]*$/.test(value)) return 'must contain printable ASCII characters only';
  if (value.length <= maxValueLength) return undefined;
  return `is ${value.length} characters long: it must be at most ${maxValueLength}`;
}

function invalid(name: string, text: string): SluiceError {
  const field = name === '' ? 'poller.target.http.headers' : `poller.target.http.headers.${name}`;
  return new SluiceError('InvalidSpec', `\`${field}\` ${text}`, never);
}

/** What a format adds to the headers of a call. */
export interface FormatHeaders {
  readonly contentType: string;
  readonly headersOf: (invocation: Invocation) => readonly string[];
}

/** The headers that all calls of a target have: name, value, name, value. `version` is Sluice's. */
export function fixedHeaders(
  fixed: Readonly<Record<string, string>>,
  version: string,
  format: FormatHeaders,
): readonly string[] {
  const own = ['content-type', format.contentType, 'accept-encoding', 'identity'];
  if (fixed['user-agent'] === undefined) own.push('user-agent', `sluice/${version}`);
  for (const [name, value] of Object.entries(fixed)) own.push(name, value);
  return own;
}

/** All headers of one call as undici takes them. `newTraceId` gives 32 lower-case hexadecimal digits. */
export function callHeaders(
  newTraceId: () => string,
  fixed: readonly string[],
  invocation: Invocation,
  format: FormatHeaders,
): string[] {
  const own = [...fixed, 'idempotency-key', invocation.id];
  const xray = traceHeaderOf(invocation);
  if (xray !== undefined) own.push('x-amzn-trace-id', xray);
  own.push('traceparent', traceparent(newTraceId, xray), ...format.headersOf(invocation));
  return own;
}

/**
 * The X-Ray header of the call: that of the first record which has one, as the Lambda target has it. One call has room
 * for one trace; each record still has its own in the event (`attributes.AWSTraceHeader`).
 */
export function traceHeaderOf(invocation: Invocation): string | undefined {
  const header = invocation.records.find(({ traceHeader }) => traceHeader !== undefined)?.traceHeader;
  // Producers write it, so it may be anything: a line break in it would be a header of the producer's choice.
  if (header === undefined || !/^[\w=;:. -]{1,512}$/.test(header)) return undefined;
  return traceIdOf(header) === undefined ? undefined : header;
}

/** W3C trace context of one call: the trace of the X-Ray header where there is one, else a new trace, sampled. */
function traceparent(newTraceId: () => string, xray: string | undefined): string {
  const span = (): string => newTraceId().slice(0, 16);
  return (xray === undefined ? undefined : traceparentOf(xray, span)) ?? `00-${newTraceId()}-${span()}-01`;
}
