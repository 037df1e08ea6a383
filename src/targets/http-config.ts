/**
 * From `poller.target.http` of a spec, with its Secrets and what its class allows, to the plain values that the HTTP
 * target takes. Pure: Secrets are read and Services followed by the caller.
 */
import type { HttpTarget as HttpTargetSpec } from '../api/mapping.ts';
import { calledUrl, defaultPath } from '../api/target-url.ts';
import { never, SluiceError } from '../lib/errors.ts';
import type { AddressPolicy } from './address-policy.ts';
import type { HttpFormat } from './http/format.ts';
import { checkFixedHeaders, headerValueProblem } from './http/headers.ts';
import type { TlsConfig } from './http/tls.ts';
import { permitUrl } from './url-policy.ts';

/** What the HTTP target needs to know. */
export interface HttpTargetConfig {
  /** Scheme and authority, as `https://orders.shop.svc:8443`: the `Host` header and the name TLS verifies. */
  readonly origin: string;
  /** What is sent and how answers are read; default `Lambda`. */
  readonly format?: HttpFormat | undefined;
  /** Path and query, from `/` on. */
  readonly path: string;
  /** Fixed headers with the values of their Secrets, at most 32. */
  readonly headers: Readonly<Record<string, string>>;
  /** From sending to the last byte of the answer, milliseconds. */
  readonly timeoutMs: number;
  /** Only read for https. */
  readonly tls?: TlsConfig | undefined;
  readonly addresses: AddressPolicy;
}

/** Where the calls go: endpoints of a Service, which the caller follows, or the URL. */
export type HttpPlace =
  | { readonly kind: 'service'; readonly name: string; readonly port: number | string }
  | { readonly kind: 'url'; readonly url: URL };

export interface HttpTargetInputs {
  readonly namespace: string;
  /** Data of every Secret that `secretFields` lists, by its name. */
  readonly secrets: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Patterns of the class, or `'any'` where no class governs. */
  readonly allowedURLs: readonly string[] | 'any';
  readonly allowLoopback: boolean;
}

/** Secrets that the target needs, each once, with the first field that names it. */
export function secretFields(http: HttpTargetSpec): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  const add = (name: string | undefined, field: string): void => {
    if (name !== undefined && !fields.has(name)) fields.set(name, `poller.target.http.${field}`);
  };
  for (const [header, { valueFrom }] of Object.entries(http.headers ?? {})) {
    add(valueFrom?.secretKeyRef.name, `headers.${header}.valueFrom.secretKeyRef`);
  }
  add(http.tls?.caSecretRef?.name, 'tls.caSecretRef');
  add(http.tls?.clientCertSecretRef?.name, 'tls.clientCertSecretRef');
  return fields;
}

/**
 * The target's configuration and place. Throws `SluiceError` with `InvalidSpec`, `UrlNotPermitted`, `SecretNotFound` or
 * `SecretInvalid`, whose message names the field.
 */
export function httpTargetConfig(
  http: HttpTargetSpec,
  inputs: HttpTargetInputs,
): { readonly config: HttpTargetConfig; readonly place: HttpPlace } {
  const addresses: AddressPolicy = { allowLoopback: inputs.allowLoopback };
  const { url, place } = placeOf(http, inputs, addresses);
  const tls = tlsOf(http, inputs);
  return {
    place,
    config: {
      origin: url.origin,
      ...(http.format === undefined ? {} : { format: http.format }),
      path: url.pathname + url.search,
      headers: checkFixedHeaders(headersOf(http, inputs)),
      timeoutMs: (http.timeoutSeconds ?? 30) * 1000,
      addresses,
      ...(url.protocol === 'https:' && tls !== undefined ? { tls } : {}),
    },
  };
}

function placeOf(
  http: HttpTargetSpec,
  inputs: HttpTargetInputs,
  addresses: AddressPolicy,
): { readonly url: URL; readonly place: HttpPlace } {
  const { service } = http;
  if (service !== undefined) {
    const { name, port, scheme = 'http', path = defaultPath(http.format) } = service;
    // The name by which the Service is known in the cluster; a named port has no number to show.
    const authority = `${name}.${inputs.namespace}.svc${typeof port === 'number' ? `:${port}` : ''}`;
    const url = parse(`${scheme}://${authority}${path}`);
    if (url === undefined) throw invalid('`poller.target.http.service` must make a URL with its `path`');
    return { url, place: { kind: 'service', name, port } };
  }
  if (http.url === undefined) throw invalid('`poller.target.http` must have `service` or `url`');
  const verdict = permitUrl(
    calledUrl(http.url, http.format),
    inputs.allowedURLs,
    inputs.namespace,
    addresses,
  );
  if (verdict.kind === 'refused') throw new SluiceError(verdict.reason, verdict.message, never);
  return { url: verdict.url, place: { kind: 'url', url: verdict.url } };
}

function headersOf(http: HttpTargetSpec, inputs: HttpTargetInputs): Record<string, string> {
  // Without a prototype, since names come from users.
  const headers = Object.create(null) as Record<string, string>;
  for (const [name, { value, valueFrom }] of Object.entries(http.headers ?? {})) {
    const ref = valueFrom?.secretKeyRef;
    headers[name] = ref === undefined ? (value ?? '') : secretHeader(inputs, name, ref);
  }
  return headers;
}

/** The spec is right when a Secret holds what no header can carry, so the reason names the Secret. */
function secretHeader(
  inputs: HttpTargetInputs,
  header: string,
  ref: { readonly name: string; readonly key: string },
): string {
  const value = secretValue(inputs, `headers.${header}`, ref.name, ref.key);
  const problem = headerValueProblem(value);
  if (problem === undefined) return value;
  const text = `\`poller.target.http.headers.${header}\`: the key ${JSON.stringify(ref.key)} of the Secret ${JSON.stringify(ref.name)} ${problem}`;
  throw new SluiceError('SecretInvalid', text, never);
}

function tlsOf(http: HttpTargetSpec, inputs: HttpTargetInputs): TlsConfig | undefined {
  if (http.tls === undefined) return undefined;
  const { caSecretRef, clientCertSecretRef, serverName } = http.tls;
  const at = (field: string, name: string, key: string): string =>
    secretValue(inputs, `tls.${field}`, name, key);
  return {
    ...(caSecretRef === undefined
      ? {}
      : { caPem: at('caSecretRef', caSecretRef.name, caSecretRef.key ?? 'ca.crt') }),
    ...(clientCertSecretRef === undefined
      ? {}
      : {
          certPem: at('clientCertSecretRef', clientCertSecretRef.name, 'tls.crt'),
          keyPem: at('clientCertSecretRef', clientCertSecretRef.name, 'tls.key'),
        }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function secretValue(inputs: HttpTargetInputs, field: string, name: string, key: string): string {
  const data = Object.hasOwn(inputs.secrets, name) ? inputs.secrets[name] : undefined;
  const value = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined;
  if (value !== undefined) return value;
  const text = `\`poller.target.http.${field}\` names the key ${JSON.stringify(key)} of the Secret ${JSON.stringify(name)}, which must exist`;
  throw new SluiceError('SecretNotFound', text, never);
}

function parse(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

function invalid(message: string): SluiceError {
  return new SluiceError('InvalidSpec', message, never);
}
