/**
 * The AWS backend of a process. For each account and Region there is one pace of calls and one view, which all
 * identities share; for each identity a client, kept: a connection and assumed credentials for each pass would cost
 * more than the pass.
 */
import { parseArn } from '../api/arn.ts';
import type { Identity } from '../api/class-rules.ts';
import { Callers } from '../aws/caller.ts';
import { AwsClients } from '../aws/clients.ts';
import { awsIdentity } from '../aws/credentials.ts';
import { AwsBackend } from '../backends/aws/backend.ts';
import { mappingApi, type AccountApi, type MappingApi } from '../backends/aws/client.ts';
import { AdaptivePace, pacedApi } from '../backends/aws/pace.ts';
import { AccountView } from '../backends/aws/sweep.ts';
import { tagIndex } from '../backends/aws/tag-index.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';

export interface ManagedOptions {
  readonly clusterID: string;
  readonly clients: AwsClients;
  readonly clock: Clock;
  readonly random: Random;
  /** Within which a change at AWS is found. */
  readonly driftIntervalMs: number;
  /** The most calls of the control plane per second, of the 15 that an account and Region have. */
  readonly requestsPerSecond: number;
  /** About how many Managed mappings there are. */
  readonly expected: () => number;
  /** Mappings, by UUID, that AWS shows otherwise than before. */
  readonly onChanged: (uuids: readonly string[]) => void;
  /** AWS refused a call for its rate. */
  readonly onRefused: () => void;
}

/** Passes are at random between this and 1.2 times as much of the interval, so within it. */
const recheckShare = 0.83;
const countedMs = 5000;

export function managedBackend(options: ManagedOptions): AwsBackend {
  const { clusterID, clients, clock, random, driftIntervalMs, onRefused } = options;
  const places = new Places({ ...options, expected: countedSeldom(clock, options.expected) });
  const apis = new Map<string, MappingApi & AccountApi>();
  const callers = new Callers(clients);
  return new AwsBackend({
    clusterID,
    recheckMs: driftIntervalMs * recheckShare,
    callerARN: (identity, namespace, region) =>
      callers.arnOf({ region, identity: awsIdentity(identity, clusterID, namespace) }),
    api: (identity, namespace, region) => {
      const who = JSON.stringify([identity, identity.kind === 'Installation' ? '' : namespace]);
      const key = JSON.stringify([who, region]);
      let api = apis.get(key);
      if (api === undefined) {
        const place = { region, identity: awsIdentity(identity, clusterID, namespace) };
        const { client } = clients.lambda(place, 'paced');
        const turn = (signal: AbortSignal): Promise<void> =>
          places.of(identity, namespace, region).pace.take(signal);
        const raw = mappingApi(client, turn, clock);
        const refused = (): void => {
          places.of(identity, namespace, region).pace.refused();
          onRefused();
        };
        const tagged = tagIndex(clients.signedTagging(place).client, clusterID, (call) =>
          clients.told({ service: 'tagging', ...call }),
        );
        api = pacedApi({ ...raw, tagged }, { clock, random, onRefused: refused });
        apis.set(key, api);
      }
      return {
        ...places.of(identity, namespace, region).view.apiFor(api, who),
        [Symbol.dispose]: () => undefined,
      };
    },
  });
}

interface Place {
  readonly pace: AdaptivePace;
  readonly view: AccountView;
}

/** The accounts and Regions. That of an identity which names none is known once AWS has shown a mapping of it. */
class Places {
  readonly #options: Omit<ManagedOptions, 'clients'>;
  readonly #places = new Map<string, Place>();

  constructor(options: Omit<ManagedOptions, 'clients'>) {
    this.#options = options;
  }

  of(identity: Identity, namespace: string, region: string | undefined): Place {
    if (identity.kind === 'Role') return this.#at(parseArn(identity.roleARN)?.accountID ?? '', region);
    const own = this.#at(identity.kind === 'Installation' ? '' : `${namespace}/${identity.name}`, region);
    const { accountID } = own.view;
    if (accountID === undefined) return own;
    const key = keyOf(accountID, region);
    const place = this.#places.get(key) ?? own;
    this.#places.set(key, place);
    return place;
  }

  #at(accountID: string, region: string | undefined): Place {
    const key = keyOf(accountID, region);
    let place = this.#places.get(key);
    if (place === undefined) {
      const { clock, random, driftIntervalMs: intervalMs, expected, onChanged } = this.#options;
      const pace = new AdaptivePace({ clock, ceiling: this.#options.requestsPerSecond });
      place = { pace, view: new AccountView({ clock, random, pace, intervalMs, expected, onChanged }) };
      this.#places.set(key, place);
    }
    return place;
  }
}

function keyOf(accountID: string, region: string | undefined): string {
  return `${accountID} ${region ?? ''}`;
}

/** Counting goes over all mappings, and is asked for with each of them. */
function countedSeldom(clock: Clock, count: () => number): () => number {
  let [value, atMs] = [0, -Infinity];
  return () => {
    if (clock.monotonic() - atMs >= countedMs) [value, atMs] = [count(), clock.monotonic()];
    return value;
  };
}
