/** The options that every process in a cluster has. */
import { z } from 'zod';
import type { Options } from './config.ts';
import { addressType, namespacesType, objectNameType } from './option-types.ts';

export const clusterOptions = {
  'cluster-id': {
    type: z.string().min(1).max(64),
    value: 'ID',
    help: 'Name of this cluster, unique among those that share AWS accounts; part of tags and external ids. Required.',
  },
  namespace: {
    type: objectNameType.optional(),
    value: 'NAME',
    help: 'Namespace of Leases and reports. Default: that of the kubeconfig context or of the pod.',
  },
  'watch-namespaces': {
    type: namespacesType,
    value: 'LIST',
    multiple: true,
    help: 'Serve mappings of these namespaces only: `a,b`. One that may not be read is asked for again. Default: all.',
  },
  'classes-file': {
    type: z.string().min(1).optional(),
    value: 'FILE',
    help: 'Read MappingClasses from this YAML file at the start instead of from the API server. With `--watch-namespaces` no right in the whole cluster is needed, and classes must list `namespaces`.',
  },
  kubeconfig: {
    type: z.string().optional(),
    value: 'FILE',
    help: 'Cluster and credentials. Default: KUBECONFIG, ~/.kube/config, or the ServiceAccount of the pod.',
  },
  'metrics-address': {
    type: addressType(':8080'),
    value: 'HOST:PORT',
    help: 'Where /metrics, /healthz and /readyz listen. Default `:8080`.',
  },
} as const satisfies Options;
