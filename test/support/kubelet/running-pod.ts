/**
 * A pod that runs here: its container, what its probes say of it, and what it logged. It tells of readiness sooner than a
 * kubelet would, to spare tests the waiting: until it is ready it is asked at every step.
 */
import type { Container } from './container.ts';
import type { Pod, PodContainer, Probe } from './pod-spec.ts';

/** Time between two looks at pods. */
export const STEP_MS = 200;

export class RunningPod {
  readonly pod: Pod;
  readonly address: string;
  readonly container: Container;
  /** What it logged, as far as it is JSON. */
  readonly lines: readonly Record<string, unknown>[];
  ready = false;
  started = false;
  /** Set once it is to end. */
  stopping: Promise<void> | undefined;
  /** What went wrong: an end that nobody asked for, a probe that failed too often. */
  readonly problems: string[] = [];
  readonly #spec: PodContainer;
  readonly #failures = new Map<Probe, number>();
  readonly #dueMs = new Map<Probe, number>();

  constructor(pod: Pod, spec: PodContainer, container: Container, lines: readonly Record<string, unknown>[]) {
    this.pod = pod;
    this.#spec = spec;
    this.container = container;
    this.address = container.place.address;
    this.lines = lines;
  }

  get name(): string {
    return this.pod.metadata.name;
  }

  /** Number of a port of its container by its name; numbers stand for themselves. */
  portOf(port: number | string): number {
    if (typeof port === 'number') return port;
    const number = this.#spec.ports?.find(({ name }) => name === port)?.containerPort;
    if (number === undefined) throw new Error(`${this.name} has no port ${port}`);
    return number;
  }

  /** GET of a port by its name or number. */
  get(
    where: string,
    port: number | string = this.#spec.ports?.[0]?.containerPort ?? 0,
    timeoutMs = 5000,
  ): Promise<{ readonly status: number; readonly text: string }> {
    return this.container.place.get(this.portOf(port), where, timeoutMs);
  }

  /** Asks the probes that are due. True when what is reported of the pod has changed. */
  async probe(): Promise<boolean> {
    const before = `${this.started} ${this.ready}`;
    const { startupProbe, livenessProbe, readinessProbe } = this.#spec;
    const { end } = this.container.process;
    if (end !== undefined && this.stopping === undefined) {
      if (this.problems.length === 0)
        this.problems.push(`it ended with ${end.code ?? end.signal}:\n${this.container.process.tail()}`);
      this.ready = false;
    } else if (!this.started) {
      this.started = startupProbe === undefined || (await this.#ask(startupProbe, 'startup'));
    }
    if (this.started && end === undefined) {
      if (livenessProbe !== undefined) await this.#ask(livenessProbe, 'liveness');
      if (readinessProbe === undefined) this.ready = true;
      else if (!this.ready || this.#isDue(readinessProbe)) this.ready = await this.#ask(readinessProbe);
    }
    return before !== `${this.started} ${this.ready}`;
  }

  #isDue(probe: Probe): boolean {
    return performance.now() >= (this.#dueMs.get(probe) ?? 0);
  }

  /** True when it succeeds, or is not due; one with a name is a problem when it fails too often. */
  async #ask(probe: Probe, fatal?: string): Promise<boolean> {
    if (fatal === 'liveness' && !this.#isDue(probe)) return true;
    if (probe.httpGet === undefined) throw new Error(`the probe ${JSON.stringify(probe)} is not understood`);
    this.#dueMs.set(probe, performance.now() + (probe.periodSeconds ?? 10) * 1000);
    const { path: where = '/', port } = probe.httpGet;
    const answer = await this.get(where, port, (probe.timeoutSeconds ?? 1) * 1000).catch(String);
    const ok = typeof answer === 'object' && answer.status >= 200 && answer.status < 400;
    const failures = ok ? 0 : (this.#failures.get(probe) ?? 0) + 1;
    this.#failures.set(probe, failures);
    // Steps are shorter than periods, so it is asked more often than a kubelet would before it has started.
    const limit =
      (probe.failureThreshold ?? 3) * (this.started ? 1 : ((probe.periodSeconds ?? 10) * 1000) / STEP_MS);
    if (fatal !== undefined && failures > limit)
      this.problems.push(`its ${fatal} probe fails: ${typeof answer === 'string' ? answer : answer.text}`);
    return ok;
  }
}
