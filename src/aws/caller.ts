/**
 * As whom AWS is called: the ARN that STS's GetCallerIdentity gives for an identity's credentials, which needs no
 * permission and costs nothing. It is information only: nobody waits for it, and where it cannot be had it is left out.
 */
import type { Clock } from '../lib/clock.ts';
import type { AwsClients, AwsPlace } from './clients.ts';
import { identityKey } from './credentials.ts';
import type { CallKind, PreparedCall, SignedClient } from './sigv4-client.ts';

/** Credentials are others after an hour, and may be of another role. */
const keptMs = 3_600_000;
const retryMs = 300_000;
const timeoutMs = 10_000;
const body = Buffer.from('Action=GetCallerIdentity&Version=2011-06-15');

interface Caller {
  arn: string | undefined;
  /** When it is asked for again. */
  nextMs: number;
}

export class Callers {
  readonly #clients: AwsClients;
  readonly #clock: Clock;
  readonly #callers = new Map<string, Caller>();
  /** Nobody ends a question: its time-out does, or the end of the clients. */
  readonly #never = new AbortController().signal;

  constructor(clients: AwsClients) {
    this.#clients = clients;
    this.#clock = clients.clock;
  }

  /** The ARN, as far as it is known; asks for it on the way when it is not, or not any more. */
  arnOf(place: AwsPlace): string | undefined {
    const key = identityKey(place.identity);
    let caller = this.#callers.get(key);
    if (caller === undefined) {
      caller = { arn: undefined, nextMs: -Infinity };
      this.#callers.set(key, caller);
    }
    const nowMs = this.#clock.monotonic();
    if (caller.nextMs <= nowMs) {
      caller.nextMs = nowMs + retryMs;
      void this.#ask(place, caller);
    }
    return caller.arn;
  }

  async #ask(place: AwsPlace, caller: Caller): Promise<void> {
    try {
      using lease = this.#clients.signedSts(place);
      const answer = await lease.client.send(callOf(lease.client), timeoutMs, this.#never);
      const arn = /<Arn>([^<>]{1,2048})<\/Arn>/.exec(answer.body.toString('utf8'))?.[1];
      if (arn === undefined) return;
      caller.arn = arn;
      caller.nextMs = this.#clock.monotonic() + keptMs;
    } catch {
      // What is wrong with the credentials is told where they are needed.
    }
  }
}

function callOf(client: SignedClient): PreparedCall {
  const kind: CallKind = client.kind('', [['content-type', 'application/x-www-form-urlencoded']]);
  return client.prepareAt(kind, body);
}
