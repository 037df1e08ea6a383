/**
 * Whose metrics are followed at CloudWatch: the mappings in Managed mode of which AWS's UUID is known and which a class
 * admits, as their identity, in the Region where they are.
 */
import { parseArn } from '../api/arn.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { AwsClients, AwsPlace } from '../aws/clients.ts';
import { awsIdentity, type AwsIdentity } from '../aws/credentials.ts';
import type { EmitCloudWatch } from '../backends/aws/cloudwatch/events.ts';
import { CloudWatchFollower, type FollowedPlace } from '../backends/aws/cloudwatch/follower.ts';
import { metricData } from '../backends/aws/cloudwatch/metric-data.ts';
import type { FollowedMapping } from '../backends/aws/cloudwatch/queries.ts';
import { destinationTypeOf, sourceTypeOf, wantedMetrics } from '../backends/aws/cloudwatch/wanted.ts';
import type { ClassBook } from '../controller/classes.ts';
import type { Clock } from '../lib/clock.ts';

export interface ManagedMetricsOptions {
  readonly clusterID: string;
  readonly clients: AwsClients;
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly mappings: () => readonly EventSourceMapping[];
  readonly classes: ClassBook;
  readonly emit: EmitCloudWatch;
}

export function managedMetrics(options: ManagedMetricsOptions): CloudWatchFollower {
  const { clients, clock, intervalMs, emit } = options;
  const onCall = (call: { readonly operation: string; readonly code: string }): void =>
    clients.told({ service: 'monitoring', ...call });
  return new CloudWatchFollower({
    clock,
    intervalMs,
    emit,
    places: () =>
      placesOf(options).map(({ name, place, mappings }) => ({
        name,
        mappings,
        open: () => {
          const { client, release } = clients.signedCloudWatch(place);
          return { ask: metricData({ client, clock, onCall }), [Symbol.dispose]: release };
        },
      })),
  });
}

type Place = Pick<FollowedPlace, 'name'> & {
  readonly place: AwsPlace;
  readonly mappings: FollowedMapping[];
};

function placesOf({
  clusterID,
  mappings,
  classes,
}: Pick<ManagedMetricsOptions, 'clusterID' | 'mappings' | 'classes'>): readonly Place[] {
  const places = new Map<string, Place>();
  for (const mapping of mappings()) {
    const { metadata, spec, status } = mapping;
    const { uuid, arn } = status?.mapping ?? {};
    if (spec.mode !== 'Managed' || uuid === undefined || uuid === '') continue;
    const metrics = wantedMetrics(spec, uuid);
    if (metrics.length === 0) continue;
    const admission = classes.admit(mapping);
    if (admission.kind === 'denied') continue;
    const namespace = metadata.namespace ?? '';
    const identity = awsIdentity(admission.identity, clusterID, namespace);
    const region = parseArn(arn ?? '')?.region ?? spec.aws?.region ?? admission.class.spec.aws?.region;
    const name = nameOf(identity, namespace, region);
    let place = places.get(name);
    if (place === undefined) places.set(name, (place = { name, place: { region, identity }, mappings: [] }));
    place.mappings.push({
      namespace,
      name: metadata.name,
      uuid,
      sourceType: sourceTypeOf(spec),
      destinationType: destinationTypeOf(spec),
      metrics,
    });
  }
  return [...places.values()];
}

/** What tells places apart, in words: a role is another caller in each namespace. */
function nameOf(identity: AwsIdentity, namespace: string, region = 'the Region of the process'): string {
  switch (identity.kind) {
    case 'Installation':
      return region;
    case 'Role':
      return `${region} as ${identity.roleARN} for the namespace ${namespace}`;
    case 'ServiceAccount':
      return `${region} as the ServiceAccount ${identity.namespace}/${identity.name}`;
  }
}
