/**
 * Signed calls of an AWS service over a pool of its own: what the SDK does for the poll loop's five calls of SQS and for
 * Lambda's Invoke, at a seventh of its cost. Used by all mappings of one place and identity.
 *
 * - A request that is sent again within its second goes out with the headers that were signed for it, so receives,
 *   whose body is constant, cost no signature under load.
 * - Credentials are asked for before each call: they renew themselves.
 * - A clock that is wrong is found by the service's answer and its `Date`; the refused call, which did nothing, is
 *   made once more. Nothing else is repeated.
 * - Errors look like the SDK's (`sigv4-error.ts`).
 */
import type { Clock } from '../lib/clock.ts';
import { faultOf } from './classify.ts';
import type { AwsCredentials, CredentialsProvider } from './credentials.ts';
import { factsOf } from './error-facts.ts';
import { HttpPool, type HttpAnswer } from './http-pool.ts';
import { proxyFor, type ProxySettings } from './proxy.ts';
import {
  bodyHash,
  signable,
  signingTime,
  Sigv4Signer,
  type Header,
  type Signable,
  type SigningScope,
} from './sigv4.ts';
import type { ServiceAddress } from './sigv4-endpoint.ts';
import { headerOf, serviceError } from './sigv4-error.ts';

export interface SignedClientOptions {
  readonly clock: Clock;
  readonly scope: SigningScope;
  readonly credentials: CredentialsProvider;
  /** Asked once, before the first call, and again if it fails. */
  readonly address: () => Promise<ServiceAddress>;
  /** What a JSON 1.0 service is called in `x-amz-target`, such as `AmazonSQS`. */
  readonly targetPrefix?: string;
  readonly userAgent: string;
  /** Most connections at once. */
  readonly connections: number;
  /** Most bytes of an answer; default the pool's. */
  readonly maxAnswerBytes?: number;
  /** The proxies on the way, if any. */
  readonly proxy?: ProxySettings | undefined;
}

/** Where calls of one kind go and what is signed of them beside their bodies. Made by `kind`. */
export interface CallKind {
  /** Behind the service's own path; empty for a JSON 1.0 service. */
  readonly path: string;
  readonly headers: readonly Header[];
  /** What was made of it for its last signature: it changes with the session token alone. */
  form: Form | undefined;
}

/** A request that can be sent any number of times. Made by `prepare`; keeps the headers of its last signature. */
export interface PreparedCall {
  readonly kind: CallKind;
  /** Headers that are not signed: name, value, name, value. */
  readonly unsigned: readonly string[];
  readonly body: Buffer;
  readonly hash: string;
  signed: Signed | undefined;
}

interface Form {
  readonly path: string;
  readonly sessionToken: string | undefined;
  readonly signable: Signable;
}

interface Signed {
  readonly second: number;
  readonly credentials: AwsCredentials;
  readonly headers: string[];
}

interface Place {
  readonly pool: HttpPool;
  readonly path: string;
  readonly host: string;
}

/** A difference of clocks below this is no reason for a refusal: AWS allows five minutes. */
const skewMs = 60_000;
const contentType = 'application/x-amz-json-1.0';

export class SignedClient {
  readonly #options: SignedClientOptions;
  readonly #signer: Sigv4Signer;
  /** The kinds of calls of a JSON 1.0 service, by operation: a handful. */
  readonly #operations = new Map<string, CallKind>();
  #place: Place | undefined;
  #finding: Promise<Place> | undefined;
  #destroyed = false;
  /** What the service's clock is ahead of ours. */
  #offsetMs = 0;
  /** The present second, as it is written. */
  #time = { second: Number.NaN, text: '' };

  constructor(options: SignedClientOptions) {
    this.#options = options;
    this.#signer = new Sigv4Signer(options.scope);
  }

  /** A call of `operation` of a JSON 1.0 service. */
  prepare(operation: string, json: string): PreparedCall {
    let kind = this.#operations.get(operation);
    if (kind === undefined) {
      kind = this.kind('', [
        ['content-type', contentType],
        ['x-amz-target', `${this.#options.targetPrefix}.${operation}`],
        // Asks for the codes that services had before they spoke JSON, beside the new ones.
        ['x-amzn-query-mode', 'true'],
      ]);
      this.#operations.set(operation, kind);
    }
    return this.prepareAt(kind, Buffer.from(json));
  }

  /** POSTs to a path of the service; to be kept for all of them. Names of headers are in lower case. */
  kind(path: string, headers: readonly Header[]): CallKind {
    return { path, headers, form: undefined };
  }

  /** A call of that kind with `body`. */
  prepareAt(kind: CallKind, body: Buffer, unsigned: readonly string[] = []): PreparedCall {
    return { kind, unsigned, body, hash: bodyHash(body), signed: undefined };
  }

  /** Makes the call and resolves with an answer of success; rejects with the service's error or the network's. */
  async send(call: PreparedCall, timeoutMs: number, signal: AbortSignal): Promise<HttpAnswer> {
    const answer = await this.#post(call, timeoutMs, signal);
    if (isSuccess(answer)) return answer;
    const error = serviceError(answer);
    if (!this.#learnsTime(answer, error)) throw error;
    const second = await this.#post(call, timeoutMs, signal);
    if (isSuccess(second)) return second;
    throw serviceError(second);
  }

  /** Ends every call and connection. */
  destroy(): void {
    this.#destroyed = true;
    void this.#place?.pool.destroy();
  }

  async #post(call: PreparedCall, timeoutMs: number, signal: AbortSignal): Promise<HttpAnswer> {
    const { clock, credentials } = this.#options;
    const place = this.#place ?? (await (this.#finding ??= this.#find()));
    const identity = await credentials();
    const nowMs = clock.now() + this.#offsetMs;
    const second = Math.floor(nowMs / 1000);
    const { path, signable: form } = formOf(place, call.kind, identity.sessionToken);
    if (call.signed?.second !== second || call.signed.credentials !== identity) {
      const headers = this.#signer.sign(identity, this.#timeOf(second), form, call.hash);
      headers.push('user-agent', this.#options.userAgent, ...call.unsigned);
      call.signed = { second, credentials: identity, headers };
    }
    return await place.pool.post({ path, headers: call.signed.headers, body: call.body }, timeoutMs, signal);
  }

  async #find(): Promise<Place> {
    const { clock, address, connections, proxy, maxAnswerBytes } = this.#options;
    try {
      const { origin, path } = await address();
      if (this.#destroyed) throw new Error('The client was closed');
      const by = proxyFor(proxy, new URL(origin));
      const pool = new HttpPool(origin, clock, connections, by, maxAnswerBytes);
      this.#place = { pool, path, host: new URL(origin).host };
      return this.#place;
    } finally {
      this.#finding = undefined;
    }
  }

  #timeOf(second: number): string {
    if (this.#time.second !== second) this.#time = { second, text: signingTime(second * 1000) };
    return this.#time.text;
  }

  /** Whether a call was refused for its time, and the service's own clock is now known. */
  #learnsTime(answer: HttpAnswer, error: Error): boolean {
    const facts = factsOf(error);
    const mayBeTime =
      faultOf(facts) === 'clock-skew' || /^(InvalidSignature|SignatureDoesNotMatch)/.test(facts.code);
    const date = mayBeTime ? Date.parse(headerOf(answer, 'date') ?? '') : Number.NaN;
    const offsetMs = date - this.#options.clock.now();
    if (!(Math.abs(offsetMs - this.#offsetMs) >= skewMs)) return false;
    this.#offsetMs = offsetMs;
    return true;
  }
}

function isSuccess({ status }: HttpAnswer): boolean {
  return status >= 200 && status < 300;
}

function formOf(place: Place, kind: CallKind, sessionToken: string | undefined): Form {
  if (kind.form !== undefined && kind.form.sessionToken === sessionToken) return kind.form;
  const path = pathOf(place, kind);
  const headers: Header[] = [['host', place.host], ...kind.headers];
  if (sessionToken !== undefined) headers.push(['x-amz-security-token', sessionToken]);
  kind.form = { path, sessionToken, signable: signable('POST', path, headers) };
  return kind.form;
}

function pathOf(place: Place, kind: CallKind): string {
  if (kind.path === '') return place.path;
  return place.path === '/' ? kind.path : `${place.path.replace(/\/$/, '')}${kind.path}`;
}
