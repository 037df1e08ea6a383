/** ARNs of policies: what a manifest leaves open is filled from the place, else by a wildcard, which is told. Pure. */
import {
  completeArn,
  functionArn,
  parseArn,
  parseFunctionName,
  partitionOf,
  type Place,
} from '../api/arn.ts';
import type { EventSourceMapping } from '../api/mapping.ts';

/** Completes ARNs for policies and remembers what had to be left open. */
export class PolicyArns {
  readonly #place: Place;
  readonly #open = new Set<string>();

  constructor(place: Place) {
    this.#place = place;
  }

  /** ARNs with a wildcard in place of the Region or the account. */
  get open(): readonly string[] {
    return [...this.#open].toSorted();
  }

  /** The ARN in full. */
  of(text: string, mapping: EventSourceMapping): string {
    const completion = completeArn(text, this.#placeOf(mapping));
    if (completion.kind === 'complete') return completion.text;
    const wild = completeArn(text, this.#wild(mapping));
    const full = wild.kind === 'complete' ? wild.text : text;
    this.#open.add(full);
    return full;
  }

  /** The ARN of the function that a mapping invokes, with its qualifier; undefined without one. */
  function(mapping: EventSourceMapping): string | undefined {
    const reference = parseFunctionName(mapping.spec.functionName ?? '');
    if (reference === undefined) return undefined;
    const full = functionArn(reference, this.#placeOf(mapping));
    if (full !== undefined) return full;
    const wild = this.#wild(mapping);
    const partition = wild.region === '*' ? 'aws' : partitionOf(wild.region);
    const open = functionArn({ partition, ...reference }, wild) ?? '*';
    this.#open.add(open);
    return open;
  }

  /** An ARN of another kind in the place of the mapping. */
  at(mapping: EventSourceMapping, service: string, resource: string): string {
    const { region, accountID } = this.#wild(mapping);
    const source = parseArn(mapping.spec.eventSourceARN ?? '');
    const partition = source?.partition ?? (region === '*' ? 'aws' : partitionOf(region));
    const text = `arn:${partition}:${service}:${region}:${accountID}:${resource}`;
    if (region === '*' || accountID === '*') this.#open.add(text);
    return text;
  }

  #placeOf({ spec }: EventSourceMapping): Place {
    const source = parseArn(spec.eventSourceARN ?? '');
    const target = parseFunctionName(spec.functionName ?? '');
    return {
      // Function and source share a Region; the function is in the account of the mapping.
      region: spec.aws?.region ?? (source?.region || target?.region || this.#place.region),
      accountID:
        spec.aws?.accountID ?? target?.accountID ?? this.#place.accountID ?? (source?.accountID || undefined),
    };
  }

  #wild(mapping: EventSourceMapping): { readonly region: string; readonly accountID: string } {
    const { region, accountID } = this.#placeOf(mapping);
    return { region: region ?? '*', accountID: accountID ?? '*' };
  }
}
