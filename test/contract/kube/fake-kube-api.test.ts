import { resource } from '../../../src/kube/resource.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { FakeKubeApi } from '../../support/fake-kube-api.ts';
import { kubeApiSuite } from './kube-api-suite.ts';

const api = new FakeKubeApi(systemClock);
// As a real server has it after a while: the beginning of history is gone.
api.compact();

kubeApiSuite('in memory', {
  api: () => api,
  namespace: () => 'test',
  withStatus: {
    resource: resource({
      group: 'sluice.dev',
      version: 'v1alpha1',
      plural: 'eventsourcemappings',
      kind: 'EventSourceMapping',
      namespaced: true,
    }),
    body: { spec: {} },
  },
});
