import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadAccess } from '../../../src/kube/kube-config.ts';

let folder: string;

beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), 'sluice-kubeconfig-'));
});

afterEach(() => fs.rm(folder, { recursive: true }));

async function write(parts: {
  user?: object;
  cluster?: object;
  context?: object;
  more?: object;
}): Promise<string> {
  const file = path.join(folder, 'config');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'main',
    clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443/', ...parts.cluster } }],
    users: [{ name: 'u', user: parts.user ?? {} }],
    contexts: [
      { name: 'main', context: { cluster: 'c', user: 'u', ...parts.context } },
      { name: 'other', context: { cluster: 'c', user: 'u', namespace: 'elsewhere' } },
    ],
    ...parts.more,
  };
  await fs.writeFile(file, JSON.stringify(config));
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

it('finds server and namespace of the current context, or of the one that is named', async () => {
  const kubeconfig = await write({});
  expect(await loadAccess({ kubeconfig })).toMatchObject({
    server: 'https://10.0.0.1:6443',
    namespace: 'default',
    proxy: undefined,
  });
  expect((await loadAccess({ kubeconfig, context: 'other' })).namespace).toBe('elsewhere');
});

it.each(['http://127.0.0.1:8001', 'http://localhost:8001', 'http://[::1]:8001'])(
  'takes %s, as of kubectl proxy',
  async (server) => {
    const access = await loadAccess({ kubeconfig: await write({ cluster: { server } }) });
    expect(access.server).toBe(server);
    expect((await access.credentials()).headers).toEqual({});
    expect((await access.credentials(true)).headers).toEqual({});
  },
);

it('takes plain HTTP over a network where the kubeconfig gives up on TLS in so many words', async () => {
  const cluster = { server: 'http://10.0.0.1:8080', 'insecure-skip-tls-verify': true };
  const access = await loadAccess({ kubeconfig: await write({ cluster, user: { token: 't' } }) });
  expect((await access.credentials()).headers['authorization']).toBe('Bearer t');
});

describe('credentials', () => {
  it.each([
    { user: { token: 't' }, authorization: 'Bearer t', why: 'a token' },
    { user: { username: 'a', password: 'b' }, authorization: `Basic ${base64('a:b')}`, why: 'a password' },
    { user: {}, authorization: undefined, why: 'none' },
  ])('$why', async ({ user, authorization }) => {
    const access = await loadAccess({ kubeconfig: await write({ user }) });
    expect((await access.credentials()).headers['authorization']).toBe(authorization);
  });

  it('certificates, inline and from files beside the kubeconfig', async () => {
    await fs.writeFile(path.join(folder, 'ca.crt'), 'the authority');
    const access = await loadAccess({
      kubeconfig: await write({
        cluster: { 'certificate-authority': 'ca.crt', 'tls-server-name': 'kube' },
        user: { 'client-certificate-data': base64('the certificate'), 'client-key-data': base64('the key') },
      }),
    });
    expect((await access.credentials()).tls).toEqual({
      ca: 'the authority',
      cert: 'the certificate',
      key: 'the key',
      servername: 'kube',
      rejectUnauthorized: undefined,
    });
    // Rotated files are read again.
    await fs.writeFile(path.join(folder, 'ca.crt'), 'another authority');
    expect((await access.credentials()).tls.ca).toBe('another authority');
  });

  it('an exec plugin, asked again only when its token was refused', async () => {
    const counter = path.join(folder, 'counter');
    const script = `
      const fs = require('node:fs');
      fs.appendFileSync(${JSON.stringify(counter)}, 'x');
      const token = 'token-' + fs.readFileSync(${JSON.stringify(counter)}, 'utf8').length;
      console.log(JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status: { token } }));`;
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', script],
      interactiveMode: 'Never',
    };
    const access = await loadAccess({ kubeconfig: await write({ user: { exec } }) });
    const token = async (renew?: boolean): Promise<string | undefined> =>
      (await access.credentials(renew)).headers['authorization'];
    expect([await token(), await token(), await token(true), await token()]).toEqual([
      'Bearer token-1',
      'Bearer token-1',
      'Bearer token-2',
      'Bearer token-2',
    ]);
  });

  it('an exec plugin that fails is `Unauthorized`, with what it said', async () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: ['-e', 'console.error("sign in first"); process.exit(1)'],
    };
    const access = await loadAccess({ kubeconfig: await write({ user: { exec } }) });
    await expect(access.credentials()).rejects.toMatchObject({
      reason: 'Unauthorized',
      message: expect.stringContaining('sign in first'),
    });
  });
});

describe('what cannot work is said', () => {
  it.each([
    { parts: undefined, says: /no such file/, why: 'no file' },
    { parts: { cluster: { server: 'ftp://x' } }, says: /`server` URL/, why: 'no URL of a server' },
    {
      parts: { cluster: { server: 'http://10.0.0.1:8080' }, user: { token: 't' } },
      says: /`server` of the current context must be an https URL, or http on a loopback address.*found http:\/\/10\.0\.0\.1:8080/,
      why: 'plain HTTP over a network',
    },
    { parts: { more: { 'current-context': 'gone' } }, says: /current context/, why: 'no such context' },
    {
      parts: { cluster: { 'proxy-url': 'socks5://10.0.0.1' } },
      says: /`proxy-url` must be/,
      why: 'a SOCKS proxy',
    },
  ])('$why', async ({ parts, says }) => {
    const kubeconfig = parts === undefined ? path.join(folder, 'missing') : await write(parts);
    await expect(loadAccess({ kubeconfig })).rejects.toMatchObject({
      reason: 'BadRequest',
      message: expect.stringMatching(says),
    });
  });

  it('a context that is not there, with those that are', async () => {
    await expect(loadAccess({ kubeconfig: await write({}), context: 'prod' })).rejects.toThrow(
      /`context` must be one of main, other; found prod/,
    );
  });

  it('YAML that is none', async () => {
    const kubeconfig = path.join(folder, 'config');
    await fs.writeFile(kubeconfig, 'clusters: [');
    await expect(loadAccess({ kubeconfig })).rejects.toMatchObject({ reason: 'BadRequest' });
  });
});
