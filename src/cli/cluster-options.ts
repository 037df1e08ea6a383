/** The options that every process in a cluster has. */
import { z } from 'zod';
import type { Options } from './config.ts';
import { addressType, listType, objectNameType } from './option-types.ts';

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
    type: listType,
    value: 'LIST',
    multiple: true,
    help: 'Serve mappings of these namespaces only. Default: all.',
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
