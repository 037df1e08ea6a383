/** What a member needs from its surroundings besides AWS: a cluster's Services and Secrets, or what stands for them. */
import type { ReportBody } from '../api/report.ts';

/** A port of a Service, as a mapping names it. */
export interface ServiceRef {
  readonly namespace: string;
  readonly name: string;
  readonly port: number | string;
}

export interface ServiceEndpoint {
  readonly address: string;
  readonly port: number;
}

/**
 * Where a Service can be reached now. `ready` with no endpoint is an ordinary state: nothing is ready. `refused`
 * means that the reference itself is wrong, until the Service changes.
 */
export type ServiceState =
  | { readonly kind: 'ready'; readonly endpoints: readonly ServiceEndpoint[] }
  | {
      readonly kind: 'refused';
      readonly reason: 'ServiceNotFound' | 'ServiceNotPermitted';
      readonly message: string;
    };

export interface ServiceFollower {
  /**
   * Tells the state of a Service's port as soon as it is known and on each change, until the result is disposed of.
   * `tell` is never called before `follow` has returned.
   */
  follow(ref: ServiceRef, tell: (state: ServiceState) => void): Disposable;
}

export interface SecretReader {
  /** The decoded data of a Secret. Throws `SluiceError` with a documented reason, such as `SecretNotFound`. */
  read(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** Keeps this member's report where the controller reads it. */
export interface ReportStore {
  /** Writes the report and gives the version of the object as stored; the same again changes no version. */
  write(report: ReportBody, signal: AbortSignal): Promise<string | undefined>;
  /** The version of the object as stored now; undefined when there is none. */
  version(signal: AbortSignal): Promise<string | undefined>;
  remove(signal: AbortSignal): Promise<void>;
}
