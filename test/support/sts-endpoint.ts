import { createHash, createHmac, randomBytes } from 'node:crypto';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What AssumeRole was asked for, and the keys that it gave. */
export interface AssumedRole {
  readonly roleARN: string;
  readonly externalID: string | null;
  readonly sessionName: string | null;
  /** Access key id with which the call was signed. */
  readonly caller: string | undefined;
  readonly keys: StsKeys;
}

export interface StsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/**
 * STS as far as AssumeRole goes: it remembers who asked for which role and hands out keys of its own for each call.
 * Whether a trust policy would admit the caller is the test's to say.
 */
export class StsEndpoint implements AsyncDisposable {
  /** Every role that was given, in order. */
  readonly assumed: AssumedRole[] = [];
  /** Roles that nobody may assume now. */
  readonly denied = new Set<string>();
  /** Calls that were refused, by role. */
  readonly refusals: string[] = [];
  readonly #server: http.Server;

  constructor() {
    this.#server = http.createServer((request, response) => {
      this.#serve(request, response).catch(() => request.socket.destroy());
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Everything that was given for a role. */
  of(roleARN: string): readonly AssumedRole[] {
    return this.assumed.filter((one) => one.roleARN === roleARN);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const form = new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
    const roleARN = form.get('RoleArn') ?? '';
    if (form.get('Action') !== 'AssumeRole' || this.denied.has(roleARN)) {
      this.refusals.push(roleARN);
      answer(
        response,
        403,
        `<ErrorResponse xmlns="${xmlns}"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole on resource: ${roleARN}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
      );
      return;
    }
    const keys: StsKeys = {
      accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(20).toString('hex'),
      sessionToken: randomBytes(32).toString('hex'),
    };
    this.assumed.push({
      roleARN,
      externalID: form.get('ExternalId'),
      sessionName: form.get('RoleSessionName'),
      caller: signatureOf(request.headers)?.accessKeyId,
      keys,
    });
    const expiration = new Date(Date.now() + 3_600_000).toISOString();
    const user = `<AssumedRoleUser><Arn>${roleARN}</Arn><AssumedRoleId>AROA:${form.get('RoleSessionName') ?? ''}</AssumedRoleId></AssumedRoleUser>`;
    const credentials = `<Credentials><AccessKeyId>${keys.accessKeyId}</AccessKeyId><SecretAccessKey>${keys.secretAccessKey}</SecretAccessKey><SessionToken>${keys.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
    answer(
      response,
      200,
      `<AssumeRoleResponse xmlns="${xmlns}"><AssumeRoleResult>${user}${credentials}</AssumeRoleResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>`,
    );
  }
}

/** Starts the endpoint; `await using` stops it. */
export async function startStsEndpoint(): Promise<StsEndpoint> {
  const endpoint = new StsEndpoint();
  await endpoint.start();
  return endpoint;
}

/**
 * Whether a POST to `/` was signed with these keys (Signature Version 4): the signature is computed again, so that the
 * secret key was used and not only its id shown.
 */
export function isSignedWith(
  keys: Omit<StsKeys, 'sessionToken'> & { readonly sessionToken?: string },
  call: { readonly body: string; readonly headers: http.IncomingHttpHeaders },
): boolean {
  const found = signatureOf(call.headers);
  if (found === undefined || found.accessKeyId !== keys.accessKeyId) return false;
  if (call.headers['x-amz-security-token'] !== keys.sessionToken) return false;
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const names = found.signedHeaders.split(';');
  const canonical = [
    'POST',
    '/',
    '',
    ...names.map((name) => `${name}:${String(call.headers[name]).trim()}`),
    '',
    found.signedHeaders,
    sha256(call.body),
  ].join('\n');
  const [date = '', region = '', service = ''] = found.scope.split('/');
  const stamp = String(call.headers['x-amz-date']);
  const text = ['AWS4-HMAC-SHA256', stamp, found.scope, sha256(canonical)].join('\n');
  const signingKey = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${keys.secretAccessKey}`,
  );
  return hmac(signingKey, text).toString('hex') === found.signature;
}

const xmlns = 'https://sts.amazonaws.com/doc/2011-06-15/';

function signatureOf(headers: http.IncomingHttpHeaders) {
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]+)$/;
  const match = pattern.exec(headers.authorization ?? '');
  if (match === null) return undefined;
  const [, accessKeyId = '', scope = '', signedHeaders = '', signature = ''] = match;
  return { accessKeyId, scope, signedHeaders, signature };
}

function answer(response: http.ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' });
  response.end(xml);
}
