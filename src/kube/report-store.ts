/** This member's PollerReport in the cluster: one object, written whole, owned by the pod so that it goes with it. */
import { group, labels, managedBy, resources, version, type OwnerReference } from '../api/meta.ts';
import type { ReportBody } from '../api/report.ts';
import type { ReportStore } from '../fleet/ports.ts';
import type { ApiClient } from './api-client.ts';
import { isKubeError } from './kube-error.ts';
import { resource, type KubeObject } from './resource.ts';

export const pollerReports = resource({ group, version, ...resources.report });

export interface ReportStoreOptions {
  readonly api: Pick<ApiClient, 'get' | 'patch' | 'delete'>;
  readonly namespace: string;
  /** Name of the object: the member's. */
  readonly name: string;
  readonly owner?: OwnerReference;
}

export function kubeReportStore(options: ReportStoreOptions): ReportStore {
  const { api, namespace, name, owner } = options;
  const path = pollerReports.object(namespace, name);
  return {
    async write(report: ReportBody, signal) {
      const body = {
        apiVersion: pollerReports.apiVersion,
        kind: pollerReports.kind,
        metadata: {
          name,
          namespace,
          labels: {
            [labels.managedBy]: managedBy,
            [labels.component]: 'poller',
            [labels.pool]: report.pool,
            // A label's value ends with a letter or digit.
            [labels.member]: name.slice(0, 63).replace(/[^A-Za-z0-9]+$/, ''),
          },
          ...(owner === undefined ? {} : { ownerReferences: [owner] }),
        },
        report,
      };
      // Applied by force: nobody else writes it, and one call does for the first time and for all others.
      const stored = await api.patch<KubeObject>(
        path,
        { kind: 'apply', body, fieldManager: 'sluice-poller', force: true },
        { signal },
      );
      return stored.metadata.resourceVersion;
    },
    async version(signal) {
      try {
        return (await api.get<KubeObject>(path, { signal })).metadata.resourceVersion;
      } catch (error) {
        if (isKubeError(error, 'NotFound')) return undefined;
        throw error;
      }
    },
    async remove(signal) {
      try {
        await api.delete(path, { signal });
      } catch (error) {
        if (!isKubeError(error, 'NotFound')) throw error;
      }
    },
  };
}
