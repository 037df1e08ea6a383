import type { ControlPlaneAccess } from './control-plane.ts';
import { eventually } from './eventually.ts';

/**
 * Waits until CRDs are served: those that `target` names, as arguments of kubectl. Tries again, since kubectl refuses to
 * wait in the moment before a new CRD has any condition.
 */
export async function established(
  controlPlane: Pick<ControlPlaneAccess, 'kubectl'>,
  target: readonly string[],
  options: { readonly input?: string } = {},
): Promise<void> {
  await eventually(
    async () => {
      const args = ['wait', '--for=condition=Established', '--timeout=30s', ...target];
      const { code, stderr } = await controlPlane.kubectl(args, options);
      if (code !== 0) throw new Error(stderr);
      return true;
    },
    { what: 'CRDs to be served', timeoutMs: 30_000 },
  );
}
