/**
 * IP addresses and CIDR blocks as strings of hexadecimal digits (8 for IPv4, 32 for IPv6), so that a block is a
 * digit prefix and a few bits. Accepts what event-ruler accepts: leading zeros are decimal, IPv4-mapped IPv6
 * addresses are IPv4, no zone, no dotted tail. An address never lies in a block of the other family (event-ruler
 * compares their digits as if they were one family; that is an accident, and not kept).
 */

/** A block of addresses: the network's digits and how many leading bits count. */
export interface CidrBlock {
  readonly digits: string;
  readonly bits: number;
}

/** The digits of an address, or undefined when the text is no address. */
export function parseIpAddress(text: string): string | undefined {
  if (text.length > 200) return undefined;
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** A block, or what is wrong with the text. */
export function parseCidr(text: string): CidrBlock | { readonly problem: string } {
  const parts = text.split('/');
  // A slash at the very end adds nothing; event-ruler lets it pass.
  while (parts.length > 2 && parts.at(-1) === '') parts.pop();
  const [address, mask] = parts;
  if (address === undefined || mask === undefined || mask === '' || parts.length !== 2) {
    return { problem: 'must be an IP address and a mask length joined by one `/`' };
  }
  if (!/^[+-]?\d{1,9}$/.test(mask)) return { problem: 'must end in a whole number of mask bits' };
  const digits = parseIpAddress(address);
  if (digits === undefined) return { problem: 'must start with an IPv4 or IPv6 address' };
  const bits = Number(mask);
  // A block of one address (/32, /128) is refused by event-ruler: write the address itself.
  const most = digits.length * 4 - 1;
  if (bits < 0 || bits > most) return { problem: `must have a mask of 0 to ${most} bits` };
  return { digits, bits };
}

/** Whether the address, in digits, lies in the block. */
export function isInBlock(digits: string, block: CidrBlock): boolean {
  if (digits.length !== block.digits.length) return false;
  const whole = block.bits >> 2;
  if (!digits.startsWith(block.digits.slice(0, whole))) return false;
  const rest = block.bits & 3;
  if (rest === 0) return true;
  const shift = 4 - rest;
  return nibble(digits, whole) >> shift === nibble(block.digits, whole) >> shift;
}

function nibble(digits: string, at: number): number {
  return Number.parseInt(digits.charAt(at), 16);
}

function parseIpv4(text: string): string | undefined {
  if (text.length > 15) return undefined;
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let digits = '';
  for (const part of parts) {
    if (!/^\d+$/.test(part)) return undefined;
    const value = Number(part);
    if (value > 255) return undefined;
    digits += value.toString(16).padStart(2, '0');
  }
  return digits;
}

function parseIpv6(text: string): string | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head = '', tail] = halves;
  const left = parseGroups(head);
  const right = tail === undefined ? [] : parseGroups(tail);
  if (left === undefined || right === undefined) return undefined;
  const missing = 8 - left.length - right.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const digits = [...left, ...Array.from({ length: missing }, () => '0000'), ...right].join('');
  return digits.startsWith('00000000000000000000ffff') ? digits.slice(24) : digits;
}

function parseGroups(text: string): string[] | undefined {
  if (text === '') return [];
  const groups: string[] = [];
  for (const part of text.split(':')) {
    if (!/^[0-9a-fA-F]+$/.test(part)) return undefined;
    const value = Number.parseInt(part, 16);
    if (value > 0xffff) return undefined;
    groups.push(value.toString(16).padStart(4, '0'));
  }
  return groups;
}
