/**
 * Which addresses a user-given target may reach. Metadata, link-local, unspecified, multicast, broadcast and reserved
 * addresses are always refused, loopback unless a person's own machine is the place; everything else is left to the
 * class's URL patterns and to the network policy of the cluster.
 *
 * Pure. It judges an address, never a name: a name is judged by what it resolves to, at the moment of connecting, and
 * the connection goes to the very address that was judged (`http/dial.ts`). IPv6 forms that carry an IPv4 address
 * (mapped, translated, 6to4, NAT64, Teredo, ISATAP) are judged by the address they carry.
 */
import { isIP } from 'node:net';

/** What is allowed beyond the fixed rules. */
export interface AddressPolicy {
  /** True for `sluice run`, `sluice demo` and development: targets on the own machine. */
  readonly allowLoopback: boolean;
}

export type AddressVerdict =
  | { readonly kind: 'allowed' }
  /** `why` completes "… is not allowed: it is". */
  | { readonly kind: 'refused'; readonly why: string };

/** Turns a host name into addresses; every address of the answer is judged. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

const allowed: AddressVerdict = { kind: 'allowed' };
const refused = (why: string): AddressVerdict => ({ kind: 'refused', why });
const loopback = (policy: AddressPolicy): AddressVerdict =>
  policy.allowLoopback ? allowed : refused('a loopback address');

/** Judges one address in its usual text form; anything that is no IP address is refused. */
export function judgeAddress(address: string, policy: AddressPolicy): AddressVerdict {
  // A zone (`fe80::1%eth0`) says where, not what.
  const bare = address.replace(/%.*$/, '');
  switch (isIP(bare)) {
    case 4:
      return judgeIPv4(bare.split('.').map(Number), policy);
    case 6:
      return judgeIPv6(parseIPv6(bare), policy);
    default:
      return refused('no IP address');
  }
}

/**
 * Judges all addresses of one name together: one bad address refuses the name. Picking the good ones would leave to
 * chance, or to whoever writes the DNS answer, what a name means; a decent name has no such address among others.
 */
export function judgeAddresses(addresses: readonly string[], policy: AddressPolicy): AddressVerdict {
  for (const address of addresses) {
    const verdict = judgeAddress(address, policy);
    if (verdict.kind === 'refused') return refused(`${verdict.why} (${address})`);
  }
  return addresses.length === 0 ? refused('a name without an address') : allowed;
}

function judgeIPv4(bytes: readonly number[], policy: AddressPolicy): AddressVerdict {
  const [a = 0, b = 0, c = 0, d = 0] = bytes;
  if (a === 0) return refused('an unspecified address');
  if (a === 127) return loopback(policy);
  if (a === 169 && b === 254) return refused('a link-local or metadata address');
  // Metadata services that live outside the link-local range: Alibaba Cloud, Azure, Oracle Cloud.
  const dotted = bytes.join('.');
  if (dotted === '100.100.100.200' || dotted === '168.63.129.16') return refused('a metadata address');
  if (a === 192 && b === 0 && c === 0) return refused('a reserved address');
  if (a >= 224 && a <= 239) return refused('a multicast address');
  if (a === 255 && b === 255 && c === 255 && d === 255) return refused('the broadcast address');
  if (a >= 240) return refused('a reserved address');
  return allowed;
}

function judgeIPv6(groups: readonly number[], policy: AddressPolicy): AddressVerdict {
  const [g0 = 0, g1 = 0, g2 = 0, g3 = 0, g4 = 0, g5 = 0, g6 = 0, g7 = 0] = groups;
  const carried = (high: number, low: number): AddressVerdict =>
    judgeIPv4([high >> 8, high & 255, low >> 8, low & 255], policy);

  if (groups.every((group) => group === 0)) return refused('an unspecified address');
  if (groups.slice(0, 7).every((group) => group === 0) && g7 === 1) return loopback(policy);
  if ((g0 & 0xffc0) === 0xfe80) return refused('a link-local address');
  if ((g0 & 0xffc0) === 0xfec0) return refused('a reserved address');
  if ((g0 & 0xff00) === 0xff00) return refused('a multicast address');
  // AWS keeps its instance services (metadata ::254, Pod Identity ::23, DNS, time) in this range; Google's is one address.
  if (g0 === 0xfd00 && g1 === 0x0ec2) return refused('a metadata address');
  if (g0 === 0xfd20 && g1 === 0x00ce && g7 === 0x0254) return refused('a metadata address');
  // Discard-only (RFC 6666).
  if (g0 === 0x0100 && g1 === 0 && g2 === 0 && g3 === 0) return refused('a reserved address');

  if (g0 === 0 && g1 === 0 && g2 === 0 && g3 === 0) {
    if (g4 === 0 && g5 === 0xffff) return carried(g6, g7); // IPv4-mapped
    if (g4 === 0xffff && g5 === 0) return carried(g6, g7); // IPv4-translated (RFC 2765)
    return refused('a reserved address'); // IPv4-compatible, withdrawn, and the rest of ::/64
  }
  // NAT64: the well-known prefix carries the address at its end; under the local-use prefix it may be anywhere.
  if (g0 === 0x64 && g1 === 0xff9b) {
    const isWellKnown = g2 === 0 && g3 === 0 && g4 === 0 && g5 === 0;
    return isWellKnown ? carried(g6, g7) : refused('a local NAT64 address, which hides its real target');
  }
  if (g0 === 0x2002) return carried(g1, g2); // 6to4
  if (g0 === 0x2001 && g1 === 0) {
    // Teredo: the server's address, and the client's with all bits inverted.
    const server = carried(g2, g3);
    return server.kind === 'refused' ? server : carried(g6 ^ 0xffff, g7 ^ 0xffff);
  }
  if ((g4 === 0 || g4 === 0x0200) && g5 === 0x5efe) return carried(g6, g7); // ISATAP
  return allowed;
}

/** The eight groups of an address that `isIP` has accepted. */
function parseIPv6(address: string): readonly number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  let text = address;
  if (dotted !== null) {
    const [, head = '', a, b, c, d] = dotted;
    const hex = (high: string | undefined, low: string | undefined): string =>
      (Number(high) * 256 + Number(low)).toString(16);
    text = `${head}${hex(a, b)}:${hex(c, d)}`;
  }
  const [left = '', right] = text.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const head = parse(left);
  if (right === undefined) return head;
  const tail = parse(right);
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}
