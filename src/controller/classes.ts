/** The reconciler's port to classes and namespaces: whether a mapping may do what it asks for, as seen now. */
import type { Admitted, Denied, Identity } from '../api/class-rules.ts';
import type { MappingClass } from '../api/class.ts';
import type { EventSourceMapping } from '../api/mapping.ts';

export interface ClassBook {
  /** Admits or denies by the rules of `api/class-rules.ts`. */
  admit(mapping: EventSourceMapping): Admitted | Denied;
  /**
   * Where and as whom what a mapping left at AWS is cleaned up. Deletion must work when the class has been narrowed or
   * deleted since: without one it is the installation's own identity, and the ownership tags guard what it touches.
   */
  forRelease(mapping: EventSourceMapping): {
    readonly identity: Identity;
    readonly class: MappingClass | undefined;
  };
}
