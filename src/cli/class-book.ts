/** Classes and namespaces as reflectors see them, as the reconciler asks for them. */
import { admit, identityForRelease } from '../api/class-rules.ts';
import type { MappingClass } from '../api/class.ts';
import type { EventSourceMapping } from '../api/mapping.ts';
import type { ClassBook } from '../controller/classes.ts';

export interface ClassSources {
  readonly classes: () => readonly MappingClass[];
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
  readonly mappings: () => readonly EventSourceMapping[];
}

export function classBook({ classes, namespaceLabels, mappings }: ClassSources): ClassBook {
  // Only a class with a quota looks at the others, so they are not listed before.
  const siblings: Iterable<EventSourceMapping> = { [Symbol.iterator]: () => mappings()[Symbol.iterator]() };
  const judge: ClassBook['admit'] = (mapping) =>
    admit({
      mapping,
      classes: classes(),
      namespaceLabels: namespaceLabels(mapping.metadata.namespace ?? ''),
      siblings,
    });
  return {
    admit: judge,
    forRelease(mapping) {
      const admission = judge(mapping);
      // Denied now: the class that admitted it last, never one that an edit has named since.
      const mappingClass =
        admission.kind === 'admitted'
          ? admission.class
          : classes().find(({ metadata }) => metadata.name === mapping.status?.className);
      return { class: mappingClass, identity: identityForRelease(mapping, mappingClass) };
    },
  };
}
