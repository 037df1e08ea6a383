/**
 * TLS of a target: the trust and identity that the spec's Secrets give, checked when they are read. Verification of
 * the server is always on, and nothing below TLS 1.2 is spoken. Does not read Secrets.
 */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';
import { messageOf, never, SluiceError } from '../../lib/errors.ts';

/** Contents of the Secrets and fields of `poller.target.http.tls`. */
export interface TlsConfig {
  /** Certificates that are trusted instead of the system's, PEM. */
  readonly caPem?: string | undefined;
  /** The client's certificate chain and key, PEM; both or none. */
  readonly certPem?: string | undefined;
  readonly keyPem?: string | undefined;
  /** Name to ask for and to verify instead of the host's. */
  readonly serverName?: string | undefined;
}

/** What a connection needs of it. */
export interface TlsContext {
  readonly secureContext: SecureContext;
  readonly serverName: string | undefined;
}

/** Builds the context. Throws `SecretInvalid` or `InvalidSpec`, naming the field and never showing the content. */
export function tlsContext(config: TlsConfig): TlsContext {
  const { caPem, certPem, keyPem, serverName } = config;
  if ((certPem === undefined) !== (keyPem === undefined)) {
    throw invalid('clientCertSecretRef', 'must name a Secret with both `tls.crt` and `tls.key`');
  }
  if (caPem !== undefined) checkCertificates('caSecretRef', caPem);
  if (certPem !== undefined) checkCertificates('clientCertSecretRef', certPem);
  if (serverName !== undefined && !/^(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*$/.test(serverName)) {
    throw new SluiceError(
      'InvalidSpec',
      `\`poller.target.http.tls.serverName\` is ${JSON.stringify(serverName)}: it must be a DNS name`,
      never,
    );
  }
  try {
    const secureContext = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(caPem === undefined ? {} : { ca: caPem }),
      ...(certPem === undefined ? {} : { cert: certPem, key: keyPem }),
    });
    return { secureContext, serverName };
  } catch (error) {
    // Of what the Secrets hold, OpenSSL's messages show nothing.
    throw invalid('clientCertSecretRef', `must hold a certificate and its key: ${messageOf(error)}`);
  }
}

// OpenSSL takes a CA text without any certificate for an empty list, and every connection would then fail.
function checkCertificates(field: string, pem: string): void {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw invalid(field, 'must hold at least one PEM certificate');
  for (const block of blocks) {
    if (!isCertificate(block)) throw invalid(field, 'must hold PEM certificates only: a block of it is none');
  }
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).raw.length > 0;
  } catch {
    return false;
  }
}

function invalid(field: string, text: string): SluiceError {
  return new SluiceError('SecretInvalid', `The Secret of \`poller.target.http.tls.${field}\` ${text}`, never);
}
