import { randomBytes } from 'node:crypto';
import { parseAllDocuments, stringify } from 'yaml';
import type { ControlPlaneAccess } from './control-plane.ts';
import { eventually } from './eventually.ts';
import { placeOfObject, placeOfResource } from './kube-places.ts';

/** What tests on a real API server do again and again: a namespace of their own, apply, wait. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly generation?: number;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime?: string;
}

/** Which object: `resource` is the plural with its group, for example `eventsourcemappings.sluice.dev`. */
export interface ObjectRef {
  readonly resource: string;
  readonly name: string;
}

const GROUP = 'sluice.dev';

/** A namespace of a test. Disposing deletes it; Sluice's objects lose their finalizers, since no controller is left. */
export class TestNamespace implements AsyncDisposable {
  readonly name: string;
  readonly controlPlane: ControlPlaneAccess;

  constructor(controlPlane: ControlPlaneAccess, name: string) {
    this.controlPlane = controlPlane;
    this.name = name;
  }

  /** Applies YAML text or objects, server-side and strictly, and throws what the API server says against it. */
  async apply(manifest: string | object | readonly object[]): Promise<void> {
    for (const document of parseAllDocuments(toYaml(manifest))) {
      const object = document.toJS() as KubeObject | null;
      if (object === null) continue;
      const place = await placeOfObject(this.controlPlane, this.name, object);
      const answer = await this.controlPlane.request(
        `${place}?fieldManager=test&force=true&fieldValidation=Strict`,
        { method: 'PATCH', contentType: 'application/apply-patch+yaml', body: object },
      );
      if (answer.status > 201) throw new Error(`${place}: ${JSON.stringify(answer.body)}`);
    }
  }

  /** By kubectl, for tests of refusals: gives exit code and messages. */
  tryApply(
    manifest: string | object | readonly object[],
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    return this.controlPlane.kubectl(['-n', this.name, 'apply', '--validate=strict', '-f', '-'], {
      input: toYaml(manifest),
    });
  }

  /** A Service with one endpoint, which pollers of the tests reach at `port` of this machine. */
  async serve(name: string, port: number, ready = true): Promise<void> {
    await this.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name },
        spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: port }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name: `${name}-test`, labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: [{ addresses: ['192.0.2.1'], conditions: { ready } }],
        ports: [{ name: 'http', port, protocol: 'TCP' }],
      },
    ]);
  }

  async get(ref: ObjectRef): Promise<KubeObject | undefined> {
    const { status, body } = await this.controlPlane.request(
      await placeOfResource(this.controlPlane, this.name, ref),
    );
    if (status === 404) return undefined;
    if (status !== 200) throw new Error(JSON.stringify(body));
    return body as KubeObject;
  }

  /** Starts the deletion of an object and does not wait for its end. */
  async delete(ref: ObjectRef): Promise<void> {
    const place = await placeOfResource(this.controlPlane, this.name, ref);
    const { status, body } = await this.controlPlane.request(place, {
      method: 'DELETE',
      body: { propagationPolicy: 'Background' },
    });
    if (status >= 300 && status !== 404) throw new Error(`${place}: ${JSON.stringify(body)}`);
  }

  /**
   * Waits until a condition has the status, and the reason if given, for the object's present generation. Gives the
   * object; in the error stand the conditions last seen.
   */
  async waitForCondition(
    ref: ObjectRef,
    want: { readonly type: string; readonly status?: string; readonly reason?: string },
    timeoutMs = 30_000,
  ): Promise<KubeObject> {
    return eventually(
      async () => {
        const object = await this.get(ref);
        if (object === undefined) throw new Error('it does not exist');
        const conditions = conditionsOf(object);
        const met = conditions.some(
          (condition) =>
            condition.type === want.type &&
            condition.status === (want.status ?? 'True') &&
            (want.reason === undefined || condition.reason === want.reason) &&
            (condition.observedGeneration ?? object.metadata.generation) === object.metadata.generation,
        );
        if (!met) throw new Error(`its conditions are ${JSON.stringify(conditions)}`);
        return object;
      },
      {
        timeoutMs,
        intervalMs: 250,
        what: `${want.type}=${want.status ?? 'True'} of ${ref.resource}/${ref.name}`,
      },
    );
  }

  /** Waits until the object is gone. */
  async waitForAbsence(ref: ObjectRef, timeoutMs = 30_000): Promise<void> {
    await eventually(async () => (await this.get(ref)) === undefined, {
      timeoutMs,
      intervalMs: 250,
      what: `the end of ${ref.resource}/${ref.name}`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of await namespacedResources(this.controlPlane)) {
      const list = `/apis/${GROUP}/v1alpha1/namespaces/${this.name}/${resource}`;
      const { body } = await this.controlPlane.request(list);
      for (const item of (body as { items?: readonly KubeObject[] }).items ?? []) {
        const place = `${list}/${item.metadata.name}`;
        await this.controlPlane.request(place, { method: 'DELETE' });
        if (item.metadata.finalizers === undefined) continue;
        await this.controlPlane.request(place, { method: 'PATCH', body: { metadata: { finalizers: null } } });
      }
    }
    await this.controlPlane.request(`/api/v1/namespaces/${this.name}`, { method: 'DELETE' });
  }
}

/** Makes a namespace with a name that no other test has. */
export async function testNamespace(
  controlPlane: ControlPlaneAccess,
  labels: Readonly<Record<string, string>> = {},
): Promise<TestNamespace> {
  const name = `test-${randomBytes(5).toString('hex')}`;
  const answer = await controlPlane.request('/api/v1/namespaces', {
    method: 'POST',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } },
  });
  if (answer.status !== 201) throw new Error(`namespace ${name}: ${JSON.stringify(answer.body)}`);
  return new TestNamespace(controlPlane, name);
}

/** The conditions in an object's status. */
export function conditionsOf(object: KubeObject): readonly Condition[] {
  return (object.status?.['conditions'] as readonly Condition[] | undefined) ?? [];
}

/** One condition by type. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

async function namespacedResources(controlPlane: ControlPlaneAccess): Promise<string[]> {
  const { body } = await controlPlane.request(`/apis/${GROUP}/v1alpha1`);
  const resources =
    (body as { resources?: readonly { name: string; namespaced: boolean }[] }).resources ?? [];
  return resources
    .filter(({ name, namespaced }) => namespaced && !name.includes('/'))
    .map(({ name }) => name);
}

function toYaml(manifest: string | object | readonly object[]): string {
  if (typeof manifest === 'string') return manifest;
  const objects: readonly object[] = Array.isArray(manifest) ? (manifest as readonly object[]) : [manifest];
  return objects.map((object) => stringify(object)).join('---\n');
}
