/**
 * Who runs which queue mapping: rendezvous hashing of the mapping's uid over the live members of its pool. Pure, so
 * every member and the controller come to the same answer from the same list, without talking to each other.
 *
 * A member that joins or leaves moves only its own share. During a change two members may see different lists for a
 * moment and both run a queue mapping: SQS hands each message to one reader, so no fence is needed. Mappings whose
 * source needs a single reader must not be assigned by this.
 *
 * The hash is part of the contract between versions N-1 and N: golden values in the tests keep it from changing.
 */

/** The member that runs the mapping, or undefined when there is none. The order of `members` does not matter. */
export function ownerOf(uid: string, members: readonly string[]): string | undefined {
  const key = hash(uid);
  let best: string | undefined;
  let bestScore: Score = [0, 0];
  for (const member of members) {
    const score = mix(key, hash(member));
    if (best === undefined || isHigher(score, member, bestScore, best)) {
      best = member;
      bestScore = score;
    }
  }
  return best;
}

/** The first `count` members by preference: the owner, then who would take over, and so on. */
export function ownersOf(uid: string, members: readonly string[], count: number): readonly string[] {
  const key = hash(uid);
  return [...new Set(members)]
    .map((member) => ({ member, score: mix(key, hash(member)) }))
    .sort((a, b) => (isHigher(a.score, a.member, b.score, b.member) ? -1 : 1))
    .slice(0, Math.max(0, count))
    .map(({ member }) => member);
}

/** 64 bits as two unsigned halves, high first. */
type Score = readonly [high: number, low: number];

function isHigher(a: Score, aName: string, b: Score, bName: string): boolean {
  if (a[0] !== b[0]) return a[0] > b[0];
  if (a[1] !== b[1]) return a[1] > b[1];
  // Equal scores of two names are all but impossible; the name decides, so that the order of the list cannot.
  return aName > bName;
}

/** FNV-1a over UTF-16 code units in two lanes with different starts, each finished by an avalanche. */
function hash(text: string): Score {
  let high = 0x811c9dc5;
  let low = 0x9747b28c;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
  }
  return [avalanche(high), avalanche(low)];
}

/** Joins the hashes of a mapping and of a member so that each bit of both reaches each bit of the score. */
function mix(a: Score, b: Score): Score {
  const high = avalanche(Math.imul(a[0], 0x9e3779b1) ^ b[0]);
  const low = avalanche(Math.imul(a[1], 0xc2b2ae3d) ^ b[1] ^ high);
  return [avalanche(high ^ low), low];
}

/** The 32-bit finaliser of MurmurHash3. */
function avalanche(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
