/** The shapes of calls to the API server. Types only. */

/** One attempt has ended: what `rest_client_requests_total` and `rest_client_request_duration_seconds` are made of. */
export interface RequestEvent {
  readonly kind: 'request';
  /** Kubernetes' verb: get, list, watch, create, update, patch, delete. */
  readonly verb: Verb;
  /** HTTP method. */
  readonly method: Method;
  readonly host: string;
  /** HTTP status of the answer, or `<error>` if there was none, as client-go has it. */
  readonly code: string;
  /** Until the whole answer was read; for a watch until its headers came. */
  readonly durationMs: number;
}

/** Kubernetes' verbs. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
/** HTTP methods. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
/** Parameters of a call; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** What every call takes besides its own arguments. */
export interface CallOptions {
  readonly signal: AbortSignal;
  readonly query?: Query;
  /** Default 30,000; for a watch the time until its headers come, default 15,000. */
  readonly timeoutMs?: number;
}

/** A patch and its language. `apply` is server-side apply and creates what is missing, except on a subresource. */
export type Patch =
  | { readonly kind: 'apply'; readonly fieldManager: string; readonly force: boolean; readonly body: object }
  | { readonly kind: 'merge'; readonly fieldManager?: string; readonly body: object }
  | { readonly kind: 'json'; readonly fieldManager?: string; readonly body: readonly JsonPatchOperation[] };

/** An operation of a JSON Patch (RFC 6902), as far as Sluice uses them. */
export type JsonPatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/** Options of a DELETE: only if the object still is the one that was meant. */
export interface DeletePreconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}
