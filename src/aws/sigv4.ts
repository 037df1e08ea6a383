/**
 * AWS Signature Version 4, as far as JSON calls need it: POST, no query, a body that is at hand. Pure but for the
 * signing key, which a signer keeps for its day. The canonical form is AWS's
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 *
 * It does not choose the headers, look at the time, or fetch credentials.
 */
import { createHmac, hash } from 'node:crypto';
import type { AwsCredentials } from './credentials.ts';

/** What a signature is valid for. */
export interface SigningScope {
  readonly region: string;
  /** The service's signing name, such as `sqs`. */
  readonly service: string;
}

export type Header = readonly [name: string, value: string];

/** What is signed, but for the body: everything that requests of one kind have in common. Made by `signable`. */
export interface Signable {
  /** Names and values in the order in which they are signed; that of `x-amz-date` is replaced for each request. */
  readonly headers: readonly Header[];
  readonly names: string;
  /** The canonical form up to the time, and from behind it to the hash of the body. */
  readonly before: string;
  readonly behind: string;
}

const dateHeader = 'x-amz-date';

/** `path` is as it goes over the wire; names of `headers` are in lower case, values without outer blanks. */
export function signable(method: string, path: string, headers: readonly Header[]): Signable {
  const dated: Header = [dateHeader, ''];
  const sorted = [...headers, dated].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const names = sorted.map(([name]) => name).join(';');
  const at = sorted.indexOf(dated);
  const lines = (part: readonly Header[]): string =>
    part.map(([name, value]) => `${name}:${value.replaceAll(/\s+/g, ' ')}\n`).join('');
  return {
    headers: sorted,
    names,
    before: `${method}\n${canonicalPath(path)}\n\n${lines(sorted.slice(0, at))}${dateHeader}:`,
    behind: `\n${lines(sorted.slice(at + 1))}\n${names}\n`,
  };
}

/** Signs for one scope. */
export class Sigv4Signer {
  readonly #scope: SigningScope;
  #key: { readonly secret: string; readonly day: string; readonly hmac: HmacSha256 } | undefined;

  constructor(scope: SigningScope) {
    this.#scope = scope;
  }

  /**
   * The headers of a request, name, value, name, value, `authorization` the last. `time` is its `x-amz-date`,
   * `hashed` the SHA-256 of its body in hexadecimal digits.
   */
  sign(credentials: AwsCredentials, time: string, request: Signable, hashed: string): string[] {
    const day = time.slice(0, 8);
    const scope = `${day}/${this.#scope.region}/${this.#scope.service}/aws4_request`;
    const { names, before, behind } = request;
    const canonical = hash('sha256', before + time + behind + hashed, 'hex');
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${canonical}`;
    const signature = this.#keyOf(credentials.secretAccessKey, day).hex(text);
    const headers: string[] = [];
    for (const [name, value] of request.headers) headers.push(name, name === dateHeader ? time : value);
    headers.push(
      'authorization',
      `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
    );
    return headers;
  }

  #keyOf(secret: string, day: string): HmacSha256 {
    if (this.#key?.secret !== secret || this.#key.day !== day) {
      const { region, service } = this.#scope;
      const key = [day, region, service, 'aws4_request'].reduce<Buffer>(
        (before, part) => createHmac('sha256', before).update(part).digest(),
        Buffer.from(`AWS4${secret}`),
      );
      this.#key = { secret, day, hmac: new HmacSha256(key) };
    }
    return this.#key.hmac;
  }
}

/** A time as `x-amz-date` has it: `20261101T235959Z`. */
export function signingTime(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** SHA-256 of a body, in hexadecimal digits. */
export function bodyHash(body: string | Uint8Array): string {
  return hash('sha256', body, 'hex');
}

/** Every service but S3: dot segments and doubled slashes resolved, then each segment encoded once more. */
function canonicalPath(path: string): string {
  if (path === '/') return path;
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const end = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.map(encode).join('/')}${end}`;
}

function encode(text: string): string {
  const hex = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, hex);
}

const blockBytes = 64;

/**
 * HMAC-SHA256 under one key, of ASCII texts. Made of two one-shot hashes over the padded key, which took half of
 * `createHmac`'s time when measured: that one makes a key object, a stream and a context for each call.
 */
class HmacSha256 {
  readonly #outer = Buffer.alloc(blockBytes + 32, 0x5c);
  #inner = Buffer.alloc(blockBytes + 256, 0x36);

  /** `key` is at most a block long. */
  constructor(key: Uint8Array) {
    key.forEach((byte, at) => {
      this.#inner[at] = byte ^ 0x36;
      this.#outer[at] = byte ^ 0x5c;
    });
  }

  hex(text: string): string {
    const bytes = blockBytes + text.length;
    if (bytes > this.#inner.length) {
      const grown = Buffer.alloc(bytes);
      this.#inner.copy(grown, 0, 0, blockBytes);
      this.#inner = grown;
    }
    this.#inner.write(text, blockBytes, 'latin1');
    this.#outer.write(hash('sha256', this.#inner.subarray(0, bytes), 'binary'), blockBytes, 'latin1');
    return hash('sha256', this.#outer, 'hex');
  }
}
