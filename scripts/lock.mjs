/**
 * One piece of work at a time, over processes: a lock file made atomically, kept fresh while it is held, and taken
 * over when its holder has died. Plain JavaScript for Node 20, without node_modules.
 */
import fs from 'node:fs';
import path from 'node:path';

const STALE_MS = 60_000;
const BEAT_MS = 5_000;

/**
 * Runs `work` while holding the lock `file`; waits for another holder as long as it lives.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {(holder: string) => void} [onWait] told once, with the holder's process id
 * @returns {Promise<T>}
 */
export async function withLock(file, work, onWait) {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  let told = false;
  while (!tryTake(file)) {
    const holder = heldBy(file);
    if (holder === undefined) continue;
    if (!told) onWait?.(holder);
    told = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const beat = setInterval(() => {
    try {
      fs.utimesSync(file, new Date(), new Date());
    } catch {
      // Taken from outside; the work itself ends in an atomic step, so nothing is lost.
    }
  }, BEAT_MS);
  beat.unref();
  const release = () => {
    clearInterval(beat);
    if (read(file) === String(process.pid)) fs.rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
  }
}

function tryTake(file) {
  try {
    fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** The holder's process id, or undefined when there is none any more (a dead one's lock is removed). */
function heldBy(file) {
  let age;
  try {
    age = Date.now() - fs.statSync(file).mtimeMs;
  } catch {
    return undefined;
  }
  const holder = read(file);
  // An empty file is one being written; give its writer a moment.
  if (age < 2_000 || (age < STALE_MS && isAlive(Number(holder)))) return holder || 'unknown';
  // Several may have seen it stale, and the first of them may hold a fresh one by now: what was moved away is looked
  // at again, and put back if it is not the stale one.
  const grave = `${file}.${process.pid}`;
  try {
    fs.renameSync(file, grave);
    if (read(grave) !== holder) fs.linkSync(grave, file);
    fs.rmSync(grave, { force: true });
  } catch {
    // Somebody else was quicker.
  }
  return undefined;
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
