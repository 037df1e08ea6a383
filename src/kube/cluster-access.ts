/** Where an API server is and what it lets in: the light half of `kube-config.ts`, for everything else in `kube`. */

/** What a connection and a request need in order to be let in. Contains secrets: never log it. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** Options for the TLS handshake; what is undefined is left to Node's own defaults. */
export interface TlsMaterial {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly servername: string | undefined;
  readonly rejectUnauthorized: boolean | undefined;
}

/** One API server and one identity. */
export interface ClusterAccess {
  /** Origin and path prefix, without a slash at the end. */
  readonly server: string;
  /** The namespace of the context; in a pod its own. */
  readonly namespace: string;
  /** HTTP proxy on the way to the server. */
  readonly proxy: string | undefined;
  /** Credentials for the next request; `renew` after a 401 drops whatever was cached. Rejects with `KubeError`. */
  credentials(renew?: boolean): Promise<Credentials>;
}

/** Access by a URL and a bearer token alone, for tests and for servers of plain HTTP. */
export function tokenAccess(server: string, token?: string, ca?: string): ClusterAccess {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return {
    server: server.replace(/\/+$/, ''),
    namespace: 'default',
    proxy: undefined,
    credentials: () =>
      Promise.resolve({
        headers,
        tls: { ca, cert: undefined, key: undefined, servername: undefined, rejectUnauthorized: undefined },
      }),
  };
}
