/** What keeps a mapping from being carried out until somebody changes it or its class. Pure. */
import type { Admitted, Denied } from '../api/class-rules.ts';
import type { Reason } from '../api/conditions.ts';
import type { EventSourceMappingSpec } from '../api/mapping.ts';
import { supported } from '../api/supported.ts';

export interface Obstacle {
  readonly kind: 'obstacle';
  readonly reason: Reason;
  readonly message: string;
}

/**
 * The admission, or the first obstacle. Permission comes first, so that a stranger learns nothing else. `problems`
 * are what is wrong with the spec beyond what the CRD can say.
 */
export function gateOf(
  spec: EventSourceMappingSpec,
  admission: Admitted | Denied,
  problems: readonly string[],
): Admitted | Obstacle {
  if (admission.kind === 'denied') {
    return { kind: 'obstacle', reason: admission.reason, message: admission.message };
  }
  const gaps = supported(spec);
  if (gaps.length > 0) {
    return {
      kind: 'obstacle',
      reason: 'NotSupported',
      message: gaps.map(({ message }) => message).join('; '),
    };
  }
  if (problems.length > 0) return { kind: 'obstacle', reason: 'InvalidSpec', message: problems.join('; ') };
  return admission;
}
