/**
 * Certificates for tests, made in memory: no tool to install, no key in the repository, no expiry date to trip over.
 * A minimal DER writer; it knows only what a test server needs.
 */
import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';

export interface TestCertificate {
  readonly certPem: string;
  readonly keyPem: string;
  readonly key: KeyObject;
  readonly name: string;
}

export interface CertificateOptions {
  /** Common name, and the only subject name if `names` is left out. */
  readonly name: string;
  /** DNS names and addresses it is good for. */
  readonly names?: readonly string[];
  /** Who signs; itself if left out. */
  readonly issuer?: TestCertificate;
  readonly isAuthority?: boolean;
}

/** Makes a key and a certificate, valid from 2020 to 2049. */
export function makeCertificate(options: CertificateOptions): TestCertificate {
  const { name, names = [name], issuer, isAuthority = false } = options;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const ecdsaWithSha256 = sequence(oid([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]));
  const extensions = [extension([0x55, 0x1d, 0x11], sequence(...names.map(generalName)))];
  if (isAuthority) extensions.push(extension([0x55, 0x1d, 0x13], sequence(der(0x01, Buffer.of(0xff)))));
  const serial = Buffer.from(`01${privateKey.export({ format: 'jwk' }).x?.slice(0, 8) ?? ''}`, 'latin1');
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, serial),
    ecdsaWithSha256,
    distinguishedName(issuer?.name ?? name),
    sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z'))),
    distinguishedName(name),
    spki,
    der(0xa3, sequence(...extensions)),
  );
  const signature = sign('sha256', body, issuer?.key ?? privateKey);
  const whole = sequence(body, ecdsaWithSha256, der(0x03, Buffer.concat([Buffer.of(0), signature])));
  // No empty line at the end: before it would be headers to a reader of PEM.
  const base64 = (whole.toString('base64').match(/.{1,64}/g) ?? []).join('\n');
  return {
    name,
    key: privateKey,
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    certPem: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 128
      ? [tag, length]
      : length < 256
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function extension(id: readonly number[], value: Buffer): Buffer {
  return sequence(oid(id), der(0x04, value));
}

function distinguishedName(name: string): Buffer {
  return sequence(der(0x31, sequence(oid([0x55, 0x04, 0x03]), der(0x0c, Buffer.from(name)))));
}

function generalName(name: string): Buffer {
  return isIP(name) === 4
    ? der(0x87, Buffer.from(name.split('.').map(Number)))
    : der(0x82, Buffer.from(name));
}
