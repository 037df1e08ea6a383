import { createHash, createHmac, createPublicKey, randomBytes, verify, type webcrypto } from 'node:crypto';
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

/** Whom a role trusts: bearers of tokens of the cluster with this subject and audience. */
export interface WebTrust {
  readonly subject: string;
  readonly audience: string;
}

/** What AssumeRoleWithWebIdentity was asked for, what the token said, and the keys that it gave. */
export interface WebIdentity {
  readonly roleARN: string;
  readonly sessionName: string | null;
  readonly token: string;
  /** From its issue to its end. */
  readonly tokenSeconds: number;
  readonly keys: StsKeys;
}

/**
 * STS as far as roles go. AssumeRole remembers who asked for which role and hands out keys of its own for each call;
 * whether a trust policy would admit the caller is the test's to say. AssumeRoleWithWebIdentity believes tokens that
 * are signed with one of `issuerKeys`, are valid now, and have the audience and subject that the role trusts.
 */
export class StsEndpoint implements AsyncDisposable {
  /** Every role that was given, in order. */
  readonly assumed: AssumedRole[] = [];
  /** Roles that nobody may assume now. */
  readonly denied = new Set<string>();
  /** Every role that was given for a token, in order. */
  readonly webIdentities: WebIdentity[] = [];
  /** Roles that trust tokens. */
  readonly trusts = new Map<string, WebTrust>();
  /** The public keys of the cluster, as it publishes them. */
  issuerKeys: readonly (webcrypto.JsonWebKey & { readonly kid?: string })[] = [];
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
    if (form.get('Action') === 'GetCallerIdentity') {
      answer(response, 200, this.#callerOf(request.headers));
      return;
    }
    if (form.get('Action') === 'AssumeRoleWithWebIdentity') {
      this.#serveToken(roleARN, form, response);
      return;
    }
    if (form.get('Action') !== 'AssumeRole' || this.denied.has(roleARN)) {
      this.refusals.push(roleARN);
      answer(
        response,
        403,
        `<ErrorResponse xmlns="${xmlns}"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>not authorized to perform: sts:AssumeRole on resource: ${roleARN}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
      );
      return;
    }
    const keys = newKeys();
    this.assumed.push({
      roleARN,
      externalID: form.get('ExternalId'),
      sessionName: form.get('RoleSessionName'),
      caller: signatureOf(request.headers)?.accessKeyId,
      keys,
    });
    answer(response, 200, given('AssumeRole', roleARN, form.get('RoleSessionName'), keys));
  }

  /** The session of a role whose keys were given here, else a user. */
  #callerOf(headers: http.IncomingHttpHeaders): string {
    const id = signatureOf(headers)?.accessKeyId;
    const session = [...this.assumed, ...this.webIdentities].find(({ keys }) => keys.accessKeyId === id);
    const [, account = '000000000000', role = ''] =
      /^arn:aws:iam::(\d+):role\/(.+)$/.exec(session?.roleARN ?? '') ?? [];
    const arn =
      session === undefined
        ? `arn:aws:iam::${account}:user/${id ?? 'nobody'}`
        : `arn:aws:sts::${account}:assumed-role/${role}/${session.sessionName ?? ''}`;
    return `<GetCallerIdentityResponse xmlns="${xmlns}"><GetCallerIdentityResult><Arn>${arn}</Arn><UserId>u</UserId><Account>${account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
  }

  #serveToken(roleARN: string, form: URLSearchParams, response: http.ServerResponse): void {
    const token = form.get('WebIdentityToken') ?? '';
    const claims = claimsOf(token, this.issuerKeys);
    const trust = this.trusts.get(roleARN);
    const now = Date.now() / 1000;
    const isValid = claims !== undefined && claims.nbf <= now + 1 && claims.exp > now;
    const isTrusted = isValid && claims.sub === trust?.subject && claims.aud.includes(trust.audience);
    if (!isTrusted || this.denied.has(roleARN)) {
      this.refusals.push(roleARN);
      const [code, text] = isValid
        ? ['AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity']
        : ['InvalidIdentityToken', 'The token is not valid'];
      answer(
        response,
        isValid ? 403 : 400,
        `<ErrorResponse xmlns="${xmlns}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
      );
      return;
    }
    const keys = newKeys();
    const sessionName = form.get('RoleSessionName');
    const tokenSeconds = claims.exp - claims.iat;
    this.webIdentities.push({ roleARN, sessionName, token, tokenSeconds, keys });
    answer(response, 200, given('AssumeRoleWithWebIdentity', roleARN, sessionName, keys));
  }
}

function newKeys(): StsKeys {
  return {
    accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
    sessionToken: randomBytes(32).toString('hex'),
  };
}

function given(action: string, roleARN: string, sessionName: string | null, keys: StsKeys): string {
  const expiration = new Date(Date.now() + 3_600_000).toISOString();
  const user = `<AssumedRoleUser><Arn>${roleARN}</Arn><AssumedRoleId>AROA:${sessionName ?? ''}</AssumedRoleId></AssumedRoleUser>`;
  const credentials = `<Credentials><AccessKeyId>${keys.accessKeyId}</AccessKeyId><SecretAccessKey>${keys.secretAccessKey}</SecretAccessKey><SessionToken>${keys.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
  return `<${action}Response xmlns="${xmlns}"><${action}Result>${user}${credentials}</${action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${action}Response>`;
}

interface Claims {
  readonly sub: string;
  readonly aud: readonly string[];
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
}

/** What a JSON Web Token says, if one of the keys has signed it. */
function claimsOf(
  token: string,
  keys: readonly (webcrypto.JsonWebKey & { readonly kid?: string })[],
): Claims | undefined {
  const [head = '', body = '', signature = ''] = token.split('.');
  try {
    const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, string>;
    const key = keys.find((each) => each.kid === kid);
    if (key === undefined || alg !== 'RS256') return undefined;
    const signed = Buffer.from(`${head}.${body}`);
    const isSigned = verify(
      'RSA-SHA256',
      signed,
      createPublicKey({ key, format: 'jwk' }),
      Buffer.from(signature, 'base64url'),
    );
    return isSigned ? (JSON.parse(Buffer.from(body, 'base64url').toString()) as Claims) : undefined;
  } catch {
    return undefined;
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
